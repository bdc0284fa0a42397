/** The controllers on a real store, for tests that play the rest of the cluster. */
import { createStore } from '../../api/store.ts';
import type { ObjectStore } from '../../contract.ts';
import { ServiceIndex } from '../service-index.ts';
import { startControllers } from '../start.ts';

export interface ControllerLab {
  readonly store: ObjectStore;
  /** What controllers threw: a test that ends with one has failed. */
  readonly errors: unknown[];
  stop(): void;
}

export function startLab(namespace = 'rec'): ControllerLab {
  const store = createStore({ namespaces: [namespace] });
  const errors: unknown[] = [];
  const index = new ServiceIndex(store);
  const controllers = startControllers(store, index, (_key, error) => errors.push(error));
  return {
    store,
    errors,
    stop() {
      controllers();
      index.close();
    },
  };
}
