/** `conf` behind one name, so that it (and its schema compiler) is loaded only when the index of runs is needed. */
export { default as Conf } from 'conf';
