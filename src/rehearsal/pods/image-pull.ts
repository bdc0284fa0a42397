/** An image that can't be pulled: the kubelet's words for it, over and over, until the pod goes. */
import type { Json } from '../contract.ts';
import { pullFailure } from './images.ts';

const BACKOFF_MS = 10_000;

export interface PullPorts {
  event(type: 'Normal' | 'Warning', reason: string, message: string): void;
  /** The container's state has become this. */
  state(state: Json): void;
  sleep(milliseconds: number): Promise<void>;
  stopping(): boolean;
}

/** False when the pod ended before its image was there. */
export async function pullImage(image: string | undefined, ports: PullPorts): Promise<boolean> {
  const failure = pullFailure(image ?? '');
  if (!failure) {
    ports.event(
      'Normal',
      'Pulled',
      `Container image "${image}" already present on machine and can be accessed by the pod`,
    );
    return true;
  }
  for (;;) {
    if (ports.stopping()) return false;
    ports.event('Normal', 'Pulling', `Pulling image "${image}"`);
    ports.event('Warning', 'Failed', `Failed to pull image "${image}": ${failure}`);
    ports.event('Warning', 'Failed', 'Error: ErrImagePull');
    ports.state({ waiting: { reason: 'ErrImagePull', message: failure } });
    await ports.sleep(1000);
    ports.event('Normal', 'BackOff', `Back-off pulling image "${image}"`);
    ports.event('Warning', 'Failed', 'Error: ImagePullBackOff');
    ports.state({
      waiting: { reason: 'ImagePullBackOff', message: `Back-off pulling image "${image}": ErrImagePull: ${failure}` },
    });
    await ports.sleep(BACKOFF_MS);
  }
}
