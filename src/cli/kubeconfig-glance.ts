/** A glance at the kubeconfig before the Kubernetes client is loaded: is there a current context? */
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';

/** True when a question about the context is certainly not needed; false means "read it properly". */
export function hasCurrentContext(flag: string | undefined, env: NodeJS.ProcessEnv): boolean {
  const named = flag ? [flag] : (env.KUBECONFIG?.split(delimiter).filter(Boolean) ?? []);
  const files = named.length > 0 ? named : [join(env.HOME || homedir(), '.kube', 'config')];
  return files.some((file) => {
    if (!existsSync(file)) return false;
    try {
      return /^\s*["']?current-context["']?\s*:\s*["']?[^"'\s#]/m.test(readFileSync(file, 'utf8'));
    } catch {
      // Not readable: the proper reading says why.
      return false;
    }
  });
}
