/** How `run --dry-run` ends: what would have been changed, on standard output, as `diff` prints it. */
import type { ChangePreview, RunSnapshot, StepView } from '../engine/run/model.ts';
import { diffText } from './diff-text.ts';
import { runEnvelope } from './envelope.ts';
import { exitCodeOf } from './exit-code.ts';
import { summary } from './headless.ts';
import { type Io, write } from './io.ts';
import { type Format, isMachine, print } from './output.ts';
import { renderError } from './render-error.ts';

/** Prints every preview, then the summary; answers the exit code. A dry run is over when it ends: nothing is resumed. */
export async function finishDryRun(
  { command, format, io }: { command: string; format: Format; io: Io },
  snapshot: RunSnapshot,
): Promise<number> {
  const exitCode = exitCodeOf(snapshot);
  const previewed = snapshot.steps.flatMap((step) => (step.preview ? [{ step, preview: step.preview }] : []));
  if (isMachine(format)) {
    const previews = previewed.map(({ step, preview }) => ({ step: step.id, ...preview }));
    await print(io, format, { ...runEnvelope(command, snapshot, { dryRun: true, previews }), exitCode });
  } else {
    const text = previewed.map(({ step, preview }) => previewText(step, preview)).join('\n');
    await write(io.stdout, `${text}\n${summary(snapshot)}`);
    await write(io.stdout, 'dry run: nothing was changed\n');
  }
  if (snapshot.error) await write(io.stderr, renderError(snapshot.error));
  return exitCode;
}

function previewText(step: StepView, preview: ChangePreview): string {
  const guide = step.guide === '-' ? '' : `${step.guide} `;
  return [
    `## ${step.id}: ${guide}${step.title}`,
    `${preview.summary}${preview.alreadyDone ? ' (as it is already)' : ''}`,
    ...(preview.warnings ?? []).map((text) => `! ${text}`),
    ...diffText(preview.diff),
    ...preview.commands.map((text) => `$ ${text}`),
    '',
  ].join('\n');
}
