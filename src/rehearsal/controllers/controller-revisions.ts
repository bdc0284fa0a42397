/** ControllerRevisions of StatefulSets and DaemonSets: one per template that was ever wanted; the same template is found again. */
import type { Json, KubeObject, ObjectStore } from '../contract.ts';
import { controllerOf } from './deployment.ts';
import { canonical } from './hash.ts';

const REVISIONS = 'controllerrevisions.apps';

export interface Revision {
  name: string;
  /** The pod template. */
  data: Json;
}

export interface Revisions {
  current: Revision;
  update: Revision;
}

/** `name` is the revision's name should the template be new. */
export function syncRevisions(store: ObjectStore, owner: KubeObject, name: string): Revisions {
  const { namespace, uid } = owner.metadata;
  const own = store
    .list(REVISIONS, namespace)
    .filter((item) => controllerOf(item)?.uid === uid)
    .sort((a, b) => a.revision - b.revision);
  const wanted = canonical(owner.spec.template);
  const newest = Math.max(0, ...own.map((item) => item.revision));
  let update = own.find((item) => canonical(revisionOf(item).data) === wanted);
  if (!update) {
    update = store.create(
      REVISIONS,
      {
        apiVersion: 'apps/v1',
        kind: 'ControllerRevision',
        metadata: {
          name,
          namespace,
          labels: { ...owner.spec.selector?.matchLabels },
          ownerReferences: [
            {
              apiVersion: owner.apiVersion,
              kind: owner.kind,
              name: owner.metadata.name,
              uid: uid as string,
              controller: true,
              blockOwnerDeletion: true,
            },
          ],
        },
        data: { spec: { template: { ...owner.spec.template, $patch: 'replace' } } },
        revision: newest + 1,
      },
      { manager: 'kube-controller-manager' },
    );
  } else if (update.revision < newest)
    update = store.update(REVISIONS, { ...update, revision: newest + 1 }, { manager: 'kube-controller-manager' });
  const current = own.find((item) => item.metadata.name === owner.status?.currentRevision) ?? update;
  return { current: revisionOf(current), update: revisionOf(update) };
}

function revisionOf(object: KubeObject): Revision {
  const { $patch: _, ...template } = object.data?.spec?.template ?? {};
  return { name: object.metadata.name, data: template };
}
