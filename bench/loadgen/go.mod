module roomlog/bench/loadgen

go 1.22
