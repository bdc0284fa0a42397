/** Named re-exports, so that the bundle carries only these (a dynamic import of the package would carry all of it). */
export { parse, stringify } from 'yaml';
