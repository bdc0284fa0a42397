/** The credentials in use, with the connections that were made with them: read again when they may have rotated, or failed. */
import http from 'node:http';
import https from 'node:https';
import { createSecureContext, type SecureContext } from 'node:tls';
import { fail, ok, type Result } from '../result.ts';
import { sanitiseLine } from '../sanitise.ts';
import type { Credentials, LoadedConfig } from './kubeconfig.ts';

interface Held {
  readonly value: Credentials;
  readonly readAt: number;
  readonly agent: https.Agent | http.Agent;
  readonly tlsKey: string;
}

/** Token files and plugins rotate: they are looked at again so often (a plugin's own cache decides whether it runs). */
const LOOK_AGAIN_MS = 30_000;

export class HeldCredentials {
  readonly #config: LoadedConfig;
  #held: Held | undefined;
  #context: { readonly tlsKey: string; readonly made: SecureContext } | undefined;
  #renewing: Promise<Result<Held>> | undefined;

  constructor(config: LoadedConfig) {
    this.#config = config;
  }

  /** Those in use. Errors: `unauthenticated` when they can't be read. */
  async ready(): Promise<Result<Held>> {
    const held = this.#held;
    if (held && performance.now() - held.readAt < LOOK_AGAIN_MS) return ok(held);
    return this.#read(false);
  }

  /** Drops what is cached and reads files and plugins again, once for all who ask at the same time. */
  async renew(what: string): Promise<Result<void>> {
    this.#renewing ??= this.#read(true).finally(() => {
      this.#renewing = undefined;
    });
    const result = await this.#renewing;
    if (result.ok) return ok(undefined);
    return fail('unauthenticated', `the credentials cannot be renewed (${what})`, {
      cause: result.error.message,
      next: ['Log in again with your usual tool, then resume.'],
    });
  }

  /** Certificates are read once, and not once for each connection. */
  contextOf({ tlsKey, value }: Pick<Held, 'tlsKey' | 'value'>): { secureContext?: SecureContext } {
    if (this.#config.server.startsWith('http:')) return {};
    try {
      if (this.#context?.tlsKey !== tlsKey) this.#context = { tlsKey, made: createSecureContext(value.tls) };
      return { secureContext: this.#context.made };
    } catch {
      // What is wrong with a certificate is said by the connection, as an error of the request.
      return {};
    }
  }

  close(): void {
    this.#held?.agent.destroy();
  }

  async #read(renew: boolean): Promise<Result<Held>> {
    let value: Credentials;
    try {
      value = await this.#config.credentials(renew);
    } catch (error) {
      return fail('unauthenticated', sanitiseLine((error as Error).message, 500), {
        next: ['Run the plugin by hand, or log in again, then retry.', 'kubectl auth whoami'],
      });
    }
    const tlsKey = JSON.stringify(value.tls, (_, v) => (Buffer.isBuffer(v) ? v.toString('base64') : v));
    const held = this.#held;
    const agent = held && held.tlsKey === tlsKey ? held.agent : this.#agentFor(value, tlsKey);
    this.#held = { value, agent, tlsKey, readAt: performance.now() };
    return ok(this.#held);
  }

  #agentFor(value: Credentials, tlsKey: string): https.Agent | http.Agent {
    if (this.#config.server.startsWith('http:')) return new http.Agent({ keepAlive: true });
    return new https.Agent({
      ...value.tls,
      ...this.contextOf({ tlsKey, value }),
      keepAlive: true,
      maxFreeSockets: 16,
    });
  }
}
