import { openKafkaHarness } from '../../tests/support/kafka-harness.ts';
import { describeEventLogContract } from '../event-log-contract.ts';

describeEventLogContract('Kafka', openKafkaHarness);
