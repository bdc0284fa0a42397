// One discovery in a process of its own, as a run begins: `discover-once.mjs BUNDLE KUBECONFIG`. Sends how long and how large.
import { pathToFileURL } from 'node:url';

const [bundle, kubeconfig] = process.argv.slice(2);
const { connectKube, discoverConsumers, listOf, realClock } = await import(pathToFileURL(bundle).href);
const namespace = 'nova';
const rate = { perSecond: 10_000, burst: 10_000 };
const connected = await connectKube({ kubeconfig, namespace, clock: realClock(), rate });
if (!connected.ok) throw new Error(connected.error.message);
const kube = connected.value;
const timed = async (work) => {
  const began = performance.now();
  const result = await work();
  if (!result.ok) throw new Error(result.error.message);
  return performance.now() - began;
};
const target = { service: 'postgres', port: 5432 };
const listMs = await timed(() => kube.list(listOf('Deployment', namespace)));
const discoverMs = await timed(() => discoverConsumers(kube, { namespace, target }));
process.send({ listMs, discoverMs, megabytes: process.resourceUsage().maxRSS / 1024 });
kube.close();
process.disconnect();
