/**
 * Names that Kubernetes makes up: the hash of a pod template and the random tail of a pod name, both in the alphabet
 * that can spell no word (k8s.io/apimachinery/pkg/util/rand). The real hash is FNV-32a over a Go struct's dump; here it is
 * FNV-32a over canonical JSON, so names have the same form but other letters than a real cluster's.
 */
import { randomInt } from 'node:crypto';
import type { Json } from '../contract.ts';

const ALPHABET = 'bcdfghjklmnpqrstvwxz2456789';

export function randomTail(length = 5): string {
  let tail = '';
  for (let i = 0; i < length; i++) tail += ALPHABET[randomInt(ALPHABET.length)];
  return tail;
}

export function fnv32a(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(text, 'utf8')) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash;
}

/** `rand.SafeEncodeString`: each character is mapped by its code modulo 27. */
export const safeEncode = (text: string): string =>
  [...text].map((char) => ALPHABET[char.charCodeAt(0) % ALPHABET.length]).join('');

/** The hash of a pod template; a collision count makes it another one. */
export function templateHash(template: Json, collisionCount?: number): string {
  const salt = collisionCount === undefined ? '' : String(collisionCount);
  return safeEncode(String(fnv32a(canonical(template) + salt)));
}

/** JSON with sorted keys and without nulls and empty containers: nil and empty are the same to Kubernetes. */
export function canonical(value: Json): string {
  return JSON.stringify(prune(value)) ?? 'null';
}

function prune(value: Json): Json {
  if (Array.isArray(value)) return value.length === 0 ? undefined : value.map((item) => prune(item) ?? null);
  if (value === null || value === '') return undefined;
  if (typeof value !== 'object') return value;
  const entries = Object.keys(value)
    .sort()
    .map((key) => [key, prune(value[key])] as const)
    .filter(([, item]) => item !== undefined);
  return Object.fromEntries(entries);
}

/** Are two pod templates the same but for the label that the Deployment controller adds? */
export function sameTemplate(a: Json, b: Json): boolean {
  return canonical(withoutHash(a)) === canonical(withoutHash(b));
}

function withoutHash(template: Json): Json {
  const { 'pod-template-hash': _, ...labels } = template.metadata?.labels ?? {};
  return { ...template, metadata: { ...template.metadata, labels } };
}
