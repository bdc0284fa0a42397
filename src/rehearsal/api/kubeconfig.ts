/** The kubeconfig of a rehearsal cluster. */
import { stringify } from 'yaml';

export interface KubeconfigParts {
  /** `https://127.0.0.1:40123`. */
  url: string;
  /** PEM of the authority. */
  ca: string;
  users: readonly { name: string; token: string }[];
  namespace: string;
}

/**
 * YAML with the context `rehearsal` for the first user and `rehearsal-<user>` for each further one. The text holds tokens:
 * write it with mode 0600.
 */
export function renderKubeconfig(parts: KubeconfigParts): string {
  const contexts = parts.users.map((user, index) => ({
    name: index === 0 ? 'rehearsal' : `rehearsal-${user.name}`,
    context: { cluster: 'rehearsal', user: user.name, namespace: parts.namespace },
  }));
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'rehearsal',
    clusters: [
      {
        name: 'rehearsal',
        cluster: { server: parts.url, 'certificate-authority-data': Buffer.from(parts.ca).toString('base64') },
      },
    ],
    contexts,
    users: parts.users.map((user) => ({ name: user.name, user: { token: user.token } })),
  });
}
