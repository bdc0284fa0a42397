/** For prompts before the screen, which must look as the screen does. */
export { isUtf8Locale } from '../components/theme.ts';
