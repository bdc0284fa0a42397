/** Which Kubernetes the server claims to be: what `/version` says and the rules that differ between minors. */
import type { Json } from '../contract.ts';

export interface Personality {
  /** `36` of 1.36. */
  minor: number;
  patch: number;
  /** Build metadata behind the version, as distributions add it (`k3s1` of `v1.33.4+k3s1`); none for the plain one. */
  build?: string;
}

/** 1.36.0 unless told otherwise. */
export function personalityOf(given: Partial<Personality> = {}): Personality {
  return { minor: given.minor ?? 36, patch: given.patch ?? 0, ...(given.build ? { build: given.build } : {}) };
}

/** `GET /version`. */
export function versionInfo({ minor, patch, build }: Personality): Json {
  // Emulation came with 1.32.
  const emulation =
    minor >= 32
      ? {
          emulationMajor: '1',
          emulationMinor: String(minor),
          minCompatibilityMajor: '1',
          minCompatibilityMinor: String(minor - 1),
        }
      : {};
  return {
    major: '1',
    minor: String(minor),
    ...emulation,
    gitVersion: `v1.${minor}.${patch}${build ? `+${build}` : ''}`,
    gitCommit: '$Format:%H$',
    gitTreeState: '',
    buildDate: '1970-01-01T00:00:00Z',
    goVersion: 'go1.26.10',
    compiler: 'gc',
    platform: 'linux/amd64',
  };
}

/** From 1.35 a WebSocket to exec, attach or portforward needs `create` beside `get` on the subresource. */
export function websocketNeedsCreate({ minor }: Personality): boolean {
  return minor >= 35;
}
