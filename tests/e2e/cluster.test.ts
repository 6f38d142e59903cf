import { describeAcceptance } from './acceptance/acceptance.ts';
import { openClusterWay } from './support/cluster-way.ts';

describeAcceptance('one process per role on Kafka, a registry, PostgreSQL and Redis', () => openClusterWay());
