/** Numbers and times as the screens write them. */

/** `0.4 s`, `14 s`, `4 m 10 s`, `3 h 59 m`, `2 d 4 h`; never negative. */
export function duration(ms: number): string {
  const total = Math.max(0, ms);
  if (total < 1000) return `${(total / 1000).toFixed(1)} s`;
  const seconds = Math.floor(total / 1000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} m ${String(seconds % 60).padStart(2, '0')} s`;
  const hours = Math.floor(seconds / 3600);
  if (hours < 48) return `${hours} h ${String(Math.floor((seconds % 3600) / 60)).padStart(2, '0')} m`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** A limit, in whole units where it is whole: `30 s`, `5 m`, `4 h`. */
export function limitWords(exact: number): string {
  // A limit that was measured a moment after its beginning is still the limit.
  const near = Math.round(exact / 60_000) * 60_000;
  const ms = exact >= 60_000 && Math.abs(exact - near) < 2000 ? near : exact;
  if (ms >= 3_600_000 && ms % 3_600_000 === 0) return `${ms / 3_600_000} h`;
  return ms >= 60_000 && ms % 60_000 === 0 ? `${ms / 60_000} m` : duration(ms);
}

/** `00:41:12`; hours grow beyond two digits. */
export function clockTime(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const two = (value: number) => String(value).padStart(2, '0');
  return `${two(Math.floor(seconds / 3600))}:${two(Math.floor((seconds % 3600) / 60))}:${two(seconds % 60)}`;
}

/** A count or rate in at most four characters: `7`, `212`, `4.2k`, `38k`, `1.2M`. */
export function compact(value: number | undefined): string {
  if (value === undefined || !Number.isFinite(value)) return '-';
  const abs = Math.abs(value);
  if (abs >= 1e6) return `${(value / 1e6).toFixed(abs >= 1e7 ? 0 : 1)}M`;
  if (abs >= 1e4) return `${Math.round(value / 1e3)}k`;
  if (abs >= 1e3) return `${(value / 1e3).toFixed(1)}k`;
  return abs >= 10 || Number.isInteger(value) ? String(Math.round(value)) : value.toFixed(1);
}

/** `10:19:34` of an RFC 3339 time, UTC. */
export function shortTime(at: string): string {
  return at.slice(11, 19);
}
