import { describeAcceptance } from './acceptance/acceptance.ts';
import { openEmbeddedWay } from './support/embedded-way.ts';

describeAcceptance('all roles in one process on a PostgreSQL of its own', () => openEmbeddedWay());
