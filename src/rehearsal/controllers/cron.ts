/** Cron schedules of five fields, with lists, ranges, steps, names and the `@daily` forms. */
const MACROS: Record<string, string> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
};
const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];

/** Is `at`'s minute one of the schedule's? Days of month and of week are alternatives when both are restricted, as in cron. */
export function cronMatches(schedule: string, at: Date, timeZone = 'UTC'): boolean {
  const fields = (MACROS[schedule.trim()] ?? schedule.trim()).split(/\s+/);
  if (fields.length !== 5) return false;
  const [minute, hour, day, month, weekday] = fields as [string, string, string, string, string];
  const part = partsOf(at, timeZone);
  if (!field(minute, part.minute, 0, 59) || !field(hour, part.hour, 0, 23) || !field(month, part.month, 1, 12, MONTHS))
    return false;
  const dayFits = field(day, part.day, 1, 31);
  const weekdayFits = field(weekday, part.weekday, 0, 7, DAYS) || (part.weekday === 0 && field(weekday, 7, 0, 7, DAYS));
  return day.startsWith('*') || weekday.startsWith('*') ? dayFits && weekdayFits : dayFits || weekdayFits;
}

function partsOf(at: Date, timeZone: string) {
  const text = new Intl.DateTimeFormat('en-US', {
    timeZone,
    hourCycle: 'h23',
    minute: 'numeric',
    hour: 'numeric',
    day: 'numeric',
    month: 'numeric',
    weekday: 'short',
  }).formatToParts(at);
  const get = (type: string) => text.find((part) => part.type === type)?.value ?? '';
  return {
    minute: Number(get('minute')),
    hour: Number(get('hour')),
    day: Number(get('day')),
    month: Number(get('month')),
    weekday: DAYS.indexOf(get('weekday').toLowerCase()),
  };
}

function field(text: string, value: number, least: number, most: number, names: readonly string[] = []): boolean {
  const number = (word: string) => {
    const index = names.indexOf(word.toLowerCase());
    return index < 0 ? Number(word) : index + (names === MONTHS ? 1 : 0);
  };
  return text.split(',').some((item) => {
    const [range = '', step] = item.split('/');
    const [from, to] =
      range === '*' || range === '?'
        ? [least, most]
        : range.includes('-')
          ? (range.split('-').map(number) as [number, number])
          : [number(range), step ? most : number(range)];
    return value >= from && value <= to && (value - from) % Number(step ?? 1) === 0;
  });
}
