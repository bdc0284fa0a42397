/** `export` and `verify`: the change record from a journal, and whether a record is what its journal says. */
import { join } from 'node:path';
import { verifyRecord } from '../engine/record/verify.ts';
import { writeRecord } from '../engine/record/write.ts';
import { fail, ok, type Result } from '../engine/result.ts';
import { stateDir } from '../engine/run/paths.ts';
import { sanitiseLine } from '../engine/sanitise.ts';
import type { Invocation } from './command.ts';
import type { exportFlags } from './commands/export.ts';
import type { verifyFlags } from './commands/verify.ts';
import { write } from './io.ts';
import { envelope, isMachine, print } from './output.ts';
import { findRun } from './runs.ts';

export async function exportRun({ values, io, command }: Invocation<typeof exportFlags>): Promise<Result<number>> {
  const run = findRun(stateDir(io.env), values.run);
  if (!run.ok) return run;
  const { runId, state, journal } = run.value;
  const dir = values.to ?? join(process.cwd(), `pgb-wizard-${runId}`);
  const sign = values.sign === undefined ? undefined : { key: values.sign };
  const written = await writeRecord({ dir, state, lines: journal.lines, sign });
  if (!written.ok) return written;
  const { files, digest } = written.value;
  if (isMachine(values.output)) {
    const facts = { runId, dir, files, digest, journal: { events: state.events, headHash: state.head } };
    await print(io, values.output, { ...envelope(command, 'done', 0), ...facts });
  } else {
    await write(io.stdout, `${dir}\n${files.map((file) => `  ${file}\n`).join('')}digest ${digest}\n`);
  }
  return ok(0);
}

export async function verifyRun({
  values,
  args,
  io,
  command,
}: Invocation<typeof verifyFlags>): Promise<Result<number>> {
  const { allowedSigners, signer } = values;
  if ((allowedSigners === undefined) !== (signer === undefined)) {
    return fail('answer-needed', '--allowed-signers and --signer belong together: give both or none.');
  }
  const verified = await verifyRecord(args[0]!, {
    runId: values.run,
    ...(allowedSigners !== undefined && signer !== undefined
      ? { allowedSigners: { file: allowedSigners, identity: signer } }
      : {}),
  });
  if (!verified.ok) return verified;
  if (isMachine(values.output)) {
    await print(io, values.output, { ...envelope(command, 'done', 0), ...verified.value });
  } else {
    const { runId, events, head, files, signature, signedBy } = verified.value;
    const signed =
      signature === 'good' ? `signed by ${sanitiseLine(signedBy ?? signer ?? '')}` : `signature: ${signature}`;
    await write(
      io.stdout,
      `record of run ${runId} is whole: ${files} files, ${events} events, head ${head}, ${signed}\n`,
    );
  }
  return ok(0);
}
