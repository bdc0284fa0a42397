import { expect, test } from 'vitest';
import { databaseUrl, serviceObjects } from './objects.ts';
import { fleetOf } from './services.ts';

test("the default fleet is the guide's, with its replicas and the gateway last", () => {
  const fleet = fleetOf();
  expect(fleet).toHaveLength(16);
  expect(fleet.reduce((sum, service) => sum + service.replicas, 0)).toBe(40);
  expect(fleet.at(-1)).toMatchObject({
    name: 'graphql-gateway',
    port: 4000,
    healthPath: '/graphql/health',
    loadBalancer: true,
  });
});

test('a bigger fleet has generated services of one small pod', () => {
  const fleet = fleetOf(20);
  expect(fleet.slice(16).map(({ name, replicas }) => [name, replicas])).toEqual([
    ['service-017', 1],
    ['service-018', 1],
    ['service-019', 1],
    ['service-020', 1],
  ]);
  expect(fleet.every((service) => service.traffic === 'tiny')).toBe(true);
});

test('a password keeps its meaning in the URL of every driver', () => {
  expect(databaseUrl("a!b'c/d@e%f g")).toBe('postgresql://nova_user:a%21b%27c%2Fd%40e%25f%20g@postgres:5432/nova');
});

test('an address is a literal for most services and a Secret key for some', () => {
  for (const service of fleetOf()) {
    const objects = serviceObjects(service, 'pw');
    const entry = objects.at(-1)?.object.spec.template.spec.containers[0].env[0];
    expect(Boolean(entry.valueFrom)).toBe(service.source === 'secret');
    expect(objects.some(({ resource }) => resource === 'secrets')).toBe(service.source === 'secret');
  }
  expect(fleetOf().filter((service) => service.source === 'secret')).toHaveLength(3);
});
