// An API server with many Deployments and nothing that runs, in a process of its own: `many-workloads.mjs BUNDLE FOLDER COUNT`.
import { pathToFileURL } from 'node:url';

const [bundle, dir, count] = process.argv.slice(2);
const { createStore, startApiServer } = await import(pathToFileURL(bundle).href);
const namespace = 'nova';
const store = createStore({ namespaces: [namespace] });
const service = { selector: { app: 'postgres' }, ports: [{ port: 5432 }] };
store.create('services', {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'postgres', namespace },
  spec: service,
});
for (let n = 0; n < Number(count); n++) {
  const name = `bench-${n}`;
  const labels = { app: name };
  const env = [
    { name: 'PORT', value: '8000' },
    { name: 'DATABASE_URL', value: `postgresql://user_${n}:password-${n}@postgres:5432/nova` },
  ];
  const probe = { httpGet: { path: '/health', port: 8000 } };
  const containers = [{ name: 'app', image: 'shop/app:1', env, readinessProbe: probe }];
  const template = { metadata: { labels }, spec: { containers } };
  const spec = { replicas: 0, selector: { matchLabels: labels }, template };
  store.create('deployments.apps', { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name, namespace }, spec });
}
const api = await startApiServer({ store, runtime: {}, dir, namespace });
process.send(api.kubeconfigPath);
process.on('disconnect', () => process.exit(0));
