// Healthcheck of a role's container: succeeds when the role on the given port says that it and all it depends on are ready.
const response = await fetch(`http://127.0.0.1:${process.argv[2]}/ready`, { signal: AbortSignal.timeout(4_000) });
process.exitCode = response.ok ? 0 : 1;
