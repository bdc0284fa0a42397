import type { Plugin } from 'esbuild';

export const inkByRows: Plugin;
export const withoutDevtools: Plugin;
export const yogaWithoutFetch: Plugin;
