// Partitions whose broker failed inside while it wrote (UNKNOWN_SERVER_ERROR). On a full disk Kafka may have put the batch into its
// file and then not have got the page of an index for it. Such a batch is no harm by itself: the next start of the broker takes it
// in. Another one behind it is, because it lies at the same offset: the next start finds that, and deletes the segment with
// everything in it that was ever confirmed. So nothing is written to the partition as long as that broker leads it.
//
// @NOTE That the broker has ended shows in its connection's end, and a network that is cut looks the same: after that it is written to
// again, though the broker may live on as it was. To tell the two apart takes the leader's epoch, which ListOffsets 4 answers with.
import type { Time } from '../../platform/time.ts';
import type { KafkaConnections, LeaderConnections } from './kafka-connections.ts';
import { LATEST, listOffsetsRequest } from './requests.ts';

/** Connections of its own, so that nothing that is done on others ends them. */
export type Watch = LeaderConnections & Pick<KafkaConnections, 'close'>;

const LOOK_MS = 500;
/** Milliseconds of silence after which a broker counts as gone. Its end is noticed at once; this is for a machine that vanished. */
const SILENCE_MS = 30_000;

export class FailedPartitions {
  readonly #openWatch: () => Watch;
  readonly #topic: string;
  readonly #time: Time;
  readonly #watchByPartition = new Map<number, Watch>();

  constructor(openWatch: () => Watch, topic: string, time: Time) {
    this.#openWatch = openWatch;
    this.#topic = topic;
    this.#time = time;
  }

  has(partition: number): boolean {
    return this.#watchByPartition.has(partition);
  }

  /** Has it until the broker that leads it now has ended, or does not lead it any more. */
  add(partition: number): void {
    if (this.has(partition)) return;
    const watch = this.#openWatch();
    this.#watchByPartition.set(partition, watch);
    void this.#untilGone(partition, watch)
      .catch(() => undefined)
      .finally(() => {
        watch.close();
        this.#watchByPartition.delete(partition);
      });
  }

  close(): void {
    for (const watch of this.#watchByPartition.values()) watch.close();
  }

  /** Rejects when the connection ends. */
  async #untilGone(partition: number, watch: Watch): Promise<void> {
    const connection = await watch.toLeader(partition);
    for (let errorCode = 0; errorCode === 0; await this.#time.pause(LOOK_MS)) {
      ({ errorCode } = await connection.send(listOffsetsRequest(this.#topic, partition, LATEST), SILENCE_MS));
    }
  }
}
