/**
 * The kubeconfig: found as kubectl finds it, checked, and turned into connection options. Two ways of client-node are
 * refused: the silent fallback to http://localhost:8080, and a credential that is never renewed.
 */
import { existsSync, readFileSync } from 'node:fs';
import type { RequestOptions } from 'node:https';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fail, ok, type Result } from '../result.ts';
import { sanitiseLine } from '../sanitise.ts';
import { Secret } from '../secret.ts';
import { ExecPlugin } from './exec-credential.ts';
import type { ConnectOptions, KubeconfigContext } from './option-types.ts';
import type { Json } from './types.ts';

type KubeConfig = InstanceType<typeof import('./client-node.ts')['KubeConfig']>;

const IN_CLUSTER_TOKEN = '/var/run/secrets/kubernetes.io/serviceaccount/token';

/** What a connection needs; `tls` goes to the agent, `headers` to each request. */
export interface Credentials {
  readonly headers: Record<string, string>;
  readonly tls: Pick<RequestOptions, 'ca' | 'cert' | 'key' | 'rejectUnauthorized' | 'servername'>;
  /** A proxy's agent, when the cluster has a `proxy-url`. */
  readonly agent?: RequestOptions['agent'];
}

export interface LoadedConfig {
  readonly context: string;
  readonly cluster: string;
  readonly server: string;
  readonly namespace: string;
  /** Current credentials; `renew` drops everything cached and reads the files and plugins again. Rejects when a plugin fails. */
  credentials(renew: boolean): Promise<Credentials>;
}

/** Where the kubeconfig is: the flag, else $KUBECONFIG, else ~/.kube/config. */
function configFiles(flag: string | undefined): { files: string[]; missing?: string } {
  if (flag !== undefined) return existsSync(flag) ? { files: [flag] } : { files: [], missing: flag };
  const variable = process.env.KUBECONFIG;
  if (variable) {
    const named = variable.split(delimiter).filter((f) => f !== '');
    const files = named.filter((f) => existsSync(f));
    return files.length > 0 ? { files } : { files, missing: named.join(delimiter) };
  }
  const home = join(process.env.HOME || homedir(), '.kube', 'config');
  return existsSync(home) ? { files: [home] } : { files: [] };
}

async function read(flag: string | undefined): Promise<Result<KubeConfig>> {
  const { files, missing } = configFiles(flag);
  const { KubeConfig } = await import('./client-node.ts');
  const config = new KubeConfig();
  if (files.length === 0) {
    if (missing === undefined && existsSync(IN_CLUSTER_TOKEN) && process.env.KUBERNETES_SERVICE_HOST) {
      config.loadFromCluster();
      return ok(config);
    }
    return fail('kubeconfig', missing ? `there is no kubeconfig at ${missing}` : 'there is no kubeconfig', {
      cause: missing ? undefined : 'Neither --kubeconfig nor $KUBECONFIG names one, and ~/.kube/config does not exist.',
      next: ['Name one: --kubeconfig PATH', 'No cluster at hand? Practise on the built-in one: pgb-wizard rehearse'],
    });
  }
  for (const [index, file] of files.entries()) {
    try {
      const part = new KubeConfig();
      part.loadFromFile(file);
      withTokenFiles(part, file);
      if (index === 0) Object.assign(config, part);
      else config.mergeConfig(part, false);
    } catch (error) {
      return fail('kubeconfig', `the kubeconfig ${file} is not valid`, {
        cause: sanitiseLine((error as Error).message, 300),
        next: [`kubectl config view --kubeconfig ${file}`],
      });
    }
  }
  return ok(config);
}

/** kubectl's key is `tokenFile`; client-node knows only `token-file`. Give such users its file authenticator. */
function withTokenFiles(config: KubeConfig, file: string): void {
  if (!/tokenFile/.test(readFileSync(file, 'utf8'))) return;
  for (const match of readFileSync(file, 'utf8').matchAll(/^\s*-?\s*tokenFile:\s*["']?([^"'\n]+?)["']?\s*$/gm)) {
    const user: Json = config.users.find((u) => !u.token && !u.certData && !u.certFile && !u.exec && !u.authProvider);
    if (user) user.authProvider = { name: 'tokenFile', config: { tokenFile: match[1] } };
  }
}

/** The contexts of the kubeconfig, for a prompt or an error. */
export async function listContexts(kubeconfig?: string): Promise<Result<KubeconfigContext[]>> {
  const config = await read(kubeconfig);
  if (!config.ok) return config;
  return ok(
    config.value.getContexts().map((c) => ({
      name: c.name,
      cluster: c.cluster,
      ...(c.namespace ? { namespace: c.namespace } : {}),
      current: c.name === config.value.getCurrentContext(),
    })),
  );
}

export async function loadKubeconfig(
  options: Pick<ConnectOptions, 'kubeconfig' | 'context' | 'namespace' | 'as'>,
): Promise<Result<LoadedConfig>> {
  const first = await read(options.kubeconfig);
  if (!first.ok) return first;
  const name = options.context ?? first.value.getCurrentContext();
  const contexts = first.value.getContexts().map((c) => c.name);
  if (!name || !contexts.includes(name)) {
    const known =
      contexts.length > 0 ? `It knows: ${contexts.map((c) => sanitiseLine(c, 80)).join(', ')}.` : 'It has no contexts.';
    return fail(
      'context-unknown',
      name ? `the kubeconfig has no context "${sanitiseLine(name, 80)}"` : 'the kubeconfig has no current context',
      {
        cause: known,
        next: ['Name one with --context NAME', 'kubectl config get-contexts'],
      },
    );
  }
  const context = first.value.getContextObject(name)!;
  const cluster = first.value.getCluster(context.cluster);
  if (!cluster) {
    return fail(
      'kubeconfig',
      `context "${sanitiseLine(name, 80)}" names cluster "${sanitiseLine(context.cluster, 80)}", which the kubeconfig does not define`,
      {
        next: ['kubectl config view'],
      },
    );
  }
  if (!/^https?:\/\//.test(cluster.server)) {
    return fail('kubeconfig', `cluster "${sanitiseLine(cluster.name, 80)}" has no usable server address`, {
      cause: sanitiseLine(cluster.server, 200),
    });
  }
  if (cluster.server.startsWith('http:') && !cluster.skipTLSVerify) {
    return fail(
      'kubeconfig',
      `cluster "${sanitiseLine(cluster.name, 80)}" is plain http; credentials would travel in the clear`,
      {
        next: ['Use an https server address, or set insecure-skip-tls-verify: true if you mean it.'],
      },
    );
  }
  const source = credentialSource(first.value, name, options);
  return ok({
    context: name,
    cluster: cluster.name,
    server: cluster.server,
    namespace: options.namespace ?? context.namespace ?? 'default',
    credentials: source,
  });
}

function credentialSource(
  initial: KubeConfig,
  context: string,
  options: Pick<ConnectOptions, 'kubeconfig' | 'as'>,
): (renew: boolean) => Promise<Credentials> {
  let config = prepare(initial, context);
  /** The scrubber learns a token once. */
  let known = '';
  return async (renew) => {
    if (renew) {
      // A login done meanwhile is in the file: read it again.
      const again = await read(options.kubeconfig);
      if (again.ok && again.value.getContextObject(context)) config = prepare(again.value, context);
      config.plugin?.forget();
    }
    const https: RequestOptions & { headers: Record<string, string> } = { headers: {} };
    await config.kube.applyToHTTPSOptions(https);
    const headers: Record<string, string> = {};
    for (const [key, value] of Object.entries(https.headers)) headers[key] = String(value);
    if (https.auth) headers.Authorization = `Basic ${Buffer.from(https.auth).toString('base64')}`;
    if (headers.Authorization && headers.Authorization !== known) {
      known = headers.Authorization;
      new Secret(known.replace(/^\w+ /, ''));
    }
    if (options.as !== undefined) headers['Impersonate-User'] = options.as;
    const tls: Record<string, unknown> = {};
    for (const key of ['ca', 'cert', 'key', 'rejectUnauthorized', 'servername'] as const) {
      if (https[key] !== undefined) tls[key] = https[key];
    }
    if (tls.ca === undefined) tls.ca = config.ca;
    if (config.plugin) {
      const credential = await config.plugin.get();
      if (credential.token) headers.Authorization = `Bearer ${credential.token.reveal()}`;
      if (credential.cert) tls.cert = credential.cert;
      if (credential.key) tls.key = credential.key;
    }
    return { headers, tls, ...(config.proxied ? { agent: https.agent } : {}) };
  };
}

interface Prepared {
  readonly kube: KubeConfig;
  readonly plugin?: ExecPlugin;
  readonly ca?: Buffer;
  readonly proxied: boolean;
}

/** Takes the exec plugin out of client-node's hands; we run it ourselves. */
function prepare(kube: KubeConfig, context: string): Prepared {
  kube.setCurrentContext(context);
  const cluster = kube.getCurrentCluster();
  const user = kube.getCurrentUser() as Json;
  const exec = user?.exec ?? user?.authProvider?.config?.exec;
  if (exec) {
    user.exec = null;
    user.authProvider = null;
  }
  // applyToHTTPSOptions leaves the authority out for a context without a user.
  const ca = cluster?.caData
    ? Buffer.from(cluster.caData, 'base64')
    : cluster?.caFile
      ? readFileSync(cluster.caFile)
      : undefined;
  const info = {
    server: cluster?.server,
    ...(ca ? { 'certificate-authority-data': ca.toString('base64') } : {}),
    ...(cluster?.tlsServerName ? { 'tls-server-name': cluster.tlsServerName } : {}),
  };
  return {
    kube,
    ...(exec ? { plugin: new ExecPlugin(exec, info) } : {}),
    ...(ca ? { ca } : {}),
    proxied: Boolean(cluster?.proxyUrl),
  };
}
