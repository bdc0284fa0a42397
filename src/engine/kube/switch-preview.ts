/** What the operator confirms: the diff, the very patch as a kubectl command, and where it departs from the guide. */
import type { ChangePreview, DiffLine } from '../run/model.ts';
import { sanitiseLine } from '../sanitise.ts';
import { MASK, scrub } from '../secret.ts';
import { maskDsn, parseDsn } from './dsn.ts';
import { type Edit, editName } from './edits.ts';
import type { PlanSwitchOptions } from './option-types.ts';
import { isHostOrPort } from './redact.ts';
import { workloadId } from './refs.ts';
import type { Site } from './site.ts';
import type { FileChange, SwitchPlan } from './switch-plan.ts';
import type { Json, JsonPatchOp, KubeObject } from './types.ts';

export function previewOf(
  live: KubeObject,
  sites: readonly Site[],
  plan: SwitchPlan,
  ops: readonly JsonPatchOp[],
  options: PlanSwitchOptions,
  admission: { readonly extra: readonly string[]; readonly told: readonly string[] },
): ChangePreview {
  const id = workloadId({ kind: live.kind, name: live.metadata.name });
  const namespace: string = live.metadata.namespace;
  const names = [...new Set(sites.map((s) => s.name))].join(', ');
  const diff: DiffLine[] = [];
  for (const edit of plan.edits) diff.push(...editLines(edit, plan.values.get(edit), plan.files.get(edit)));
  for (const object of plan.objects) {
    diff.push({
      kind: 'note',
      text: `new ${object.ref.kind} ${object.ref.name} (immutable): ${Object.keys(object.manifest.data).join(', ')}`,
    });
  }
  const commands = plan.objects.map(
    (o) =>
      `kubectl create ${o.ref.kind === 'Secret' ? 'secret generic' : 'configmap'} ${o.ref.name} -n ${namespace} ` +
      Object.keys(o.manifest.data)
        .map((key) => `--from-literal=${key}=${MASK}`)
        .join(' '),
  );
  commands.push(`kubectl patch ${id} -n ${namespace} --type=json -p '${maskedPatch(ops)}'`);
  const warnings = [...plan.warnings];
  const { extra, told } = admission;
  if (extra.length > 0) warnings.push(`The cluster's admission changes more than we asked for: ${extra.join(', ')}.`);
  warnings.push(...told.map((text) => `The cluster warns: ${text}`));
  if (sites.some((s) => s.dsn && /require|verify/.test(s.dsn.parameters.sslmode ?? ''))) {
    warnings.push('The address asks for TLS (sslmode): the pooler must offer it to its clients.');
  }
  return {
    summary: `switch ${names} of ${id} to ${options.to.host}:${options.to.port}`,
    diff,
    commands: commands.map((c) => sanitiseLine(c, 4000)),
    departures: departures(sites, plan),
    ...(warnings.length > 0 ? { warnings: warnings.map((w) => sanitiseLine(w, 400)) } : {}),
  };
}

function editLines(
  edit: Edit,
  value: { old: string; now: string } | undefined,
  files: readonly FileChange[] = [],
): DiffLine[] {
  const lines: DiffLine[] = [{ kind: 'context', text: editName(edit) }];
  if (edit.kind === 'volume') {
    lines.push(
      { kind: 'remove', text: scrub(JSON.stringify(edit.before)) },
      { kind: 'add', text: scrub(JSON.stringify(edit.after)) },
    );
    for (const { name, old, now } of files) {
      lines.push(
        { kind: 'context', text: `file ${name}` },
        { kind: 'remove', text: maskText(old) },
        { kind: 'add', text: maskText(now) },
      );
    }
  } else {
    if (edit.kind === 'argument' || edit.before !== null)
      lines.push({ kind: 'remove', text: show(edit.before, value?.old) });
    lines.push({ kind: 'add', text: show(edit.after, value?.now) });
  }
  return lines.map((line) => ({ ...line, text: sanitiseLine(line.text, 400) }));
}

function show(entry: Json, value: string | undefined): string {
  const shown = value === undefined ? '' : maskText(value);
  if (typeof entry === 'string') return maskText(entry);
  const secret = entry?.valueFrom?.secretKeyRef;
  const map = entry?.valueFrom?.configMapKeyRef;
  if (secret) return `${shown} (Secret ${secret.name}, key ${secret.key})`;
  if (map) return `${shown} (ConfigMap ${map.name}, key ${map.key})`;
  return maskText(entry?.value ?? '');
}

function maskText(text: string): string {
  const dsn = parseDsn(text);
  return dsn ? maskDsn(dsn) : scrub(text);
}

/** The patch with every value that could hold a password masked. */
function maskedPatch(ops: readonly JsonPatchOp[]): string {
  const mask = (value: Json): Json => {
    if (typeof value === 'string') return maskText(value);
    if (Array.isArray(value)) return value.map(mask);
    if (value === null || typeof value !== 'object') return value;
    // A list or container that is only tested: its other variables are nobody's business here.
    const literalEnv = typeof value.name === 'string' && typeof value.value === 'string';
    if (literalEnv)
      return {
        ...value,
        value: parseDsn(value.value)
          ? maskText(value.value)
          : isHostOrPort(value.name, value.value)
            ? value.value
            : MASK,
      };
    return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, mask(v)]));
  };
  return JSON.stringify(ops.map((o) => ('value' in o ? { ...o, value: mask(o.value) } : o)));
}

function departures(sites: readonly Site[], plan: SwitchPlan): string[] {
  const said = [
    "The guide's kubectl set env writes every container and init container, and adds the variable where it never was; this changes only the places that hold the address.",
  ];
  if (plan.objects.some((o) => o.ref.kind === 'Secret')) {
    said.push('The guide puts the password in clear into the Deployment; here it goes into a new Secret.');
  }
  if (sites.some((s) => s.source === 'literal' && s.dsn?.passwordSpans.length)) {
    said.push('The old password stays readable in old ReplicaSets: rotate it after the migration.');
  }
  return said;
}
