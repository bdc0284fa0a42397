/** All scenarios of the contract, and what of each is not compared. */

import { rollouts } from './scenarios-controllers.ts';
import { discovery, forbidden, lease, patchesAndErrors, patchTexts, type Scenario, secrets } from './scenarios-rest.ts';
import { clientNode, streams, tables } from './scenarios-streams.ts';

export interface Row {
  /** Names of the recordings it replays. */
  recordings: readonly string[];
  run: Scenario;
  compared: string;
  notCompared: string;
}

export const SCENARIOS: readonly Row[] = [
  {
    recordings: ['00-discovery'],
    run: discovery,
    compared: 'version, versions, every group and resource the rehearsal serves',
    notCompared: 'groups and resources it has not; storage hashes; the server address',
  },
  {
    recordings: ['01-secret'],
    run: secrets,
    compared: 'protobuf create, AlreadyExists, get, NotFound',
    notCompared: 'aggregated discovery and OpenAPI (clients fall back); answers are JSON, not protobuf',
  },
  {
    recordings: [
      '02-deployment-create-to-ready',
      '03-set-env-rolling-update-3-replicas',
      '04-set-env-no-change',
      '05-image-pull-failure-then-undo',
      '06-crash-loop',
      '07-readiness-never-progress-deadline',
      '09-scale-to-zero-and-set-env',
      '17-rollback-of-a-timed-out-single-replica',
    ],
    run: rollouts,
    compared: 'every Deployment condition in its order, the counters at the end, the stale deadline',
    notCompared:
      'times (deadlines are shortened), pods and their events (a scripted kubelet stands in), hashes in names',
  },
  {
    recordings: ['10-patches', '11-conflicts-and-errors'],
    run: patchesAndErrors,
    compared: 'all four patch types, dry run, refusals, generations; 409, 404, 422, 400, stale watch, access review',
    notCompared: 'the status and revision the controllers write in between',
  },
  {
    recordings: ['18-json-patch-test-texts'],
    run: patchTexts,
    compared: 'a `test` on sixteen texts, each spelt in three ways, and on all of them at once',
    notCompared: 'the spelling of numbers',
  },
  {
    recordings: ['12-lease'],
    run: lease,
    compared: 'create, second holder, stale update, bad time, delete',
    notCompared: "the object's text quoted inside the refusal of the bad time",
  },
  {
    recordings: ['13-tables-and-describe'],
    run: tables,
    compared: 'columns of all tables; cells of the Deployment and the pod known as objects',
    notCompared: 'column descriptions; ages; rows whose objects were recorded as protobuf only',
  },
  {
    recordings: ['14-logs-exec-portforward'],
    run: streams,
    compared: 'log, exec (exit 3, missing binary, wrong container, stdin), SPDY in a WebSocket up to the first answer',
    notCompared: 'how output is cut into frames; container ids; the talk inside the forwarded connection',
  },
  {
    recordings: ['15-client-node-exec-portforward'],
    run: clientNode,
    compared: 'pod list, exec with exit code, port-forward frames with the port',
    notCompared: 'the talk inside the forwarded connection',
  },
  {
    recordings: ['16-forbidden'],
    run: forbidden,
    compared: '403 of list and patch, access review, rules review',
    notCompared: '-',
  },
];
