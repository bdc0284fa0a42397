import { describe, expect, test } from 'vitest';
import { longName } from './command.ts';
import { commands } from './commands/index.ts';
import { type Parsed, parseArguments } from './parse.ts';

function run(...argv: string[]) {
  const parsed = parseArguments(argv, commands);
  if (!parsed.ok) throw new Error(parsed.error.message);
  if (parsed.value.kind !== 'run') throw new Error(`not a command: ${parsed.value.kind}`);
  return parsed.value;
}

function refused(...argv: string[]) {
  const parsed = parseArguments(argv, commands);
  if (parsed.ok) throw new Error('was accepted');
  return parsed.error;
}

describe('the command word', () => {
  test('without one it is run', () => {
    expect(run().command.name).toBe('run');
    expect(run('--context', 'prod').values.context).toBe('prod');
  });

  test('may stand behind flags, as kubectl allows', () => {
    const parsed = run('--run', 'abcd', '-o', 'json', 'status');
    expect(parsed.command.name).toBe('status');
    expect(parsed.values).toMatchObject({ run: 'abcd', output: 'json', watch: false });
  });

  test('is not taken from the value of a flag', () => {
    expect(run('--context', 'status').command.name).toBe('run');
  });

  test('that is nearly one gets a suggestion', () => {
    expect(refused('statsu')).toMatchObject({ code: 'usage', exitCode: 2 });
    expect(refused('statsu').message).toContain('Did you mean status?');
  });

  test('help is asked for in every usual way', () => {
    for (const argv of [['--help'], ['-h'], ['help']]) {
      const parsed = parseArguments(argv, commands);
      expect(parsed).toMatchObject({ ok: true, value: { kind: 'help' } });
    }
    const texts = [
      ['help', 'run'],
      ['run', '--help'],
      ['--context', 'x', 'run', '-h'],
    ].map((argv) => {
      const parsed = parseArguments(argv, commands);
      return parsed.ok ? (parsed.value as Extract<Parsed, { kind: 'help' }>).text : '';
    });
    expect(new Set(texts).size).toBe(1);
    expect(texts[0]).toContain('--kubeconfig <FILE>');
  });

  test('--version is a word of its own', () => {
    expect(parseArguments(['--version'], commands)).toEqual({ ok: true, value: { kind: 'version' } });
  });
});

describe('flags', () => {
  test('have the types of their table', () => {
    const { values } = run('run', '--request-timeout', '1m30s', '--no-input', '--no-color', '-n', 'nova');
    expect(values).toMatchObject({
      requestTimeout: 90_000,
      noInput: true,
      noColor: true,
      namespace: 'nova',
      yes: false,
    });
  });

  test('that are absent have their initial value', () => {
    const { values } = run('rehearse');
    expect(values).toMatchObject({ noInput: false, noColor: false, fault: [], timeScale: undefined, serve: false });
  });

  test('may be repeated where the table says so', () => {
    const { values } = run('rehearse', '--fault', 'crashloop:auth-service', '--fault', 'slow-queries');
    expect(values.fault).toEqual(['crashloop:auth-service', 'slow-queries']);
  });

  test('take their value after a blank or an equals sign', () => {
    expect(run('status', '--output=yaml').values.output).toBe('yaml');
    expect(run('status', '-ojson').values.output).toBe('json');
  });

  test('nobody knows are refused with the nearest one', () => {
    const error = refused('run', '--contxt', 'prod');
    expect(error).toMatchObject({ code: 'usage', exitCode: 2 });
    expect(error.message).toBe('--contxt is not a flag of `pgb-wizard run`. Did you mean --context?');
    expect(error.next).toEqual(['See `pgb-wizard run --help`.']);
  });

  test.each([
    [['run', '--on-failure', 'rolback-all'], "--on-failure: 'rolback-all' is not one of", 'Did you mean rollback-all?'],
    [['run', '--request-timeout', 'soon'], "--request-timeout: 'soon' is not a duration."],
    [['rehearse', '--time-scale', '0'], "--time-scale: '0' is not a number from 1"],
    [['rehearse', '--port', '70000'], '--port: ', 'from 1 to 65535'],
    [['rehearse', '--services', '1.5'], '--services: '],
    [['rehearse', '--fault', 'Crash Loop'], '--fault: '],
    [['status', '--run', '../../etc'], "--run: '../../etc' is not the id of a run."],
    [['status', '-o', 'xml'], "--output: 'xml' is not one of json, yaml, wide."],
    [['run', '--context'], 'argument missing'],
    [['status', 'extra'], 'Too many arguments'],
    [['config'], 'issing required argument'],
    [['config', 'valdate'], "'valdate' is not one of validate, schema.", 'Did you mean validate?'],
  ])('%j is a usage error that says what is wrong', (argv, ...parts) => {
    const error = refused(...argv);
    expect(error).toMatchObject({ code: 'usage', exitCode: 2 });
    for (const part of parts) expect(error.message).toContain(part);
  });
});

describe('the table', () => {
  test('has one meaning for each flag name, with or without a value', () => {
    const takesValue = new Map<string, boolean>();
    for (const command of commands) {
      for (const [key, flag] of Object.entries(command.flags)) {
        for (const name of [longName(key), ...(flag.short ? [flag.short] : [])]) {
          const known = takesValue.get(name);
          expect(known ?? flag.value !== undefined, `${command.name} --${name}`).toBe(flag.value !== undefined);
          takesValue.set(name, flag.value !== undefined);
        }
      }
    }
  });

  test('has a summary of one line for every command and flag', () => {
    for (const command of commands) {
      for (const summary of [command.summary, ...Object.values(command.flags).map((flag) => flag.summary)]) {
        expect(summary).toMatch(/^[A-Z`][^\n]*[^.\n]$/);
      }
    }
  });

  test('has examples that can be parsed', () => {
    for (const command of commands) {
      for (const [line] of command.examples ?? []) {
        const words = (line.replace(/^source <\(|^.* \| |\)$/g, '').split(' > ')[0] ?? '').match(/'[^']*'|\S+/g) ?? [];
        const argv = words.slice(1).map((word) => word.replaceAll("'", ''));
        expect(parseArguments(argv, commands), line).toMatchObject({ ok: true, value: { kind: 'run', command } });
      }
    }
  });
});
