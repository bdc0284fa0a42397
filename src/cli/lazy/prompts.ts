/** Named re-exports, so that the bundle carries only these (a dynamic import of the package would carry all of it). */
export { input, password, select } from '@inquirer/prompts';
