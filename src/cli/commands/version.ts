import { ok } from '../../engine/result.ts';
import { command } from '../command.ts';
import { outputFlag } from '../flags.ts';
import { write } from '../io.ts';
import { envelope, isMachine, print } from '../output.ts';
import { version } from '../version.ts';

export const versionCommand = command({
  name: 'version',
  summary: 'Show the version',
  flags: { ...outputFlag },
  async handler({ values, io }) {
    if (isMachine(values.output)) {
      const facts = { version, node: process.version, platform: `${process.platform}-${process.arch}` };
      await print(io, values.output, envelope('version', 'done', 0, facts));
    } else {
      await write(
        io.stdout,
        `pgb-wizard ${version} (Node.js ${process.version}, ${process.platform}-${process.arch})\n`,
      );
    }
    return ok(0);
  },
});
