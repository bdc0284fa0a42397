/** Versions of PgBouncer: parsed from `SHOW VERSION`, `pgbouncer --version` or an image's tag, and compared. */
import { fail, ok, type Result } from '../result.ts';
import { sanitiseLine } from '../sanitise.ts';
import type { PgBouncerVersion } from './types.ts';

/** Accepts `PgBouncer 1.18.0`, `1.24`, `v1.25.2-1`, `edoburu/pgbouncer:v1.24.1-p1`. `pooler-config` when there is none. */
export function parseVersion(text: string): Result<PgBouncerVersion> {
  const match = /(?:^|[^\d.])(\d+)\.(\d+)(?:\.(\d+))?(?![\d.]*\d)/.exec(text.split('@')[0] ?? '');
  if (!match) {
    return fail('pooler-config', `No PgBouncer version in "${sanitiseLine(text, 80)}"`, {
      next: ['Name the version in the plan, for example 1.24.1'],
    });
  }
  const [major, minor, patch] = [Number(match[1]), Number(match[2]), Number(match[3] ?? 0)];
  return ok({ major, minor, patch, text: `${major}.${minor}.${patch}` });
}

export function atLeast(version: PgBouncerVersion, major: number, minor: number, patch = 0): boolean {
  if (version.major !== major) return version.major > major;
  if (version.minor !== minor) return version.minor > minor;
  return version.patch >= patch;
}

/** The pooler's version as far as the image's tag tells. */
export function versionOfImage(image: string): PgBouncerVersion | undefined {
  const tag = /:([^/:@]+)(?:@|$)/.exec(image)?.[1];
  const version = tag ? parseVersion(tag) : undefined;
  return version?.ok && version.value.major === 1 ? version.value : undefined;
}
