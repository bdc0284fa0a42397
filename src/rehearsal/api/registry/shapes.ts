/**
 * The fields of the kinds a PgBouncer migration meets, in the order of the Go structs (`k8s.io/api`), with what the
 * server needs to know of each: type, whether it is printed when empty, and how a list merges. Strict decoding,
 * canonical order, strategic merge, server-side apply and managedFields all read this one description.
 *
 * Grammar of a field: `name:type`, an optional `=` after the name keeps the empty value (no `omitempty`), types are
 * `s` string, `i` integer, `b` boolean (`z`, `y`: left out when 0 or false), `x` integer or string, `q` quantity, `t` time, `m` time with
 * microseconds, `a` anything, a struct's name,
 * `{type}` map, `{type}!` map that merges as one value, `[type]` list replaced as a whole, `[type|key,key]` list merged
 * by keys (the first is strategic merge's), `[s|=]` set; `Name!` is a struct that is owned as one value, `Name?` a
 * pointer: `{}` is kept. A struct without `?` is dropped when empty unless marked with `=`.
 */
const SHAPES: Record<string, string> = {
  ObjectMeta:
    'name:s generateName:s namespace:s selfLink:s uid:s resourceVersion:s generation:z creationTimestamp:t deletionTimestamp:t deletionGracePeriodSeconds:i labels:{s} annotations:{s} ownerReferences:[OwnerReference|uid] finalizers:[s|=] managedFields:[a]',
  OwnerReference: 'apiVersion:s kind:s name:s uid:s controller:b blockOwnerDeletion:b',
  LabelSelector: 'matchLabels:{s} matchExpressions:[LabelSelectorRequirement]',
  LabelSelectorRequirement: 'key:s operator:s values:[s]',
  ObjectReference: 'kind:s namespace:s name:s uid:s apiVersion:s resourceVersion:s fieldPath:s',
  LocalObjectReference: 'name:s',

  PodTemplateSpec: 'metadata:ObjectMeta? spec:PodSpec',
  PodSpec:
    'volumes:[Volume|name] initContainers:[Container|name] containers:[Container|name] ephemeralContainers:[EphemeralContainer|name] restartPolicy:s terminationGracePeriodSeconds:i activeDeadlineSeconds:i dnsPolicy:s nodeSelector:{s}! serviceAccountName:s serviceAccount:s automountServiceAccountToken:b nodeName:s hostNetwork:y hostPID:y hostIPC:y shareProcessNamespace:b securityContext:PodSecurityContext? imagePullSecrets:[LocalObjectReference|name] hostname:s subdomain:s affinity:a schedulerName:s tolerations:[Toleration] hostAliases:[HostAlias|ip] priorityClassName:s priority:i dnsConfig:PodDNSConfig? readinessGates:[PodReadinessGate] runtimeClassName:s enableServiceLinks:b preemptionPolicy:s overhead:{q} topologySpreadConstraints:[TopologySpreadConstraint|topologyKey,whenUnsatisfiable] setHostnameAsFQDN:b os:PodOS? hostUsers:b schedulingGates:[PodSchedulingGate|name] resourceClaims:[a] resources:ResourceRequirements? hostnameOverride:s workloadRef:a',
  PodSecurityContext:
    'seLinuxOptions:a windowsOptions:a runAsUser:i runAsGroup:i runAsNonRoot:b supplementalGroups:[i] supplementalGroupsPolicy:s fsGroup:i sysctls:[a] fsGroupChangePolicy:s seccompProfile:SeccompProfile? appArmorProfile:a seLinuxChangePolicy:s',
  SeccompProfile: 'type:s localhostProfile:s',
  PodDNSConfig: 'nameservers:[s] searches:[s] options:[a]',
  PodReadinessGate: 'conditionType:s',
  PodSchedulingGate: 'name:s',
  PodOS: 'name:s',
  HostAlias: 'ip:s hostnames:[s]',
  Toleration: 'key:s operator:s value:s effect:s tolerationSeconds:i',
  TopologySpreadConstraint:
    'maxSkew:i topologyKey:s whenUnsatisfiable:s labelSelector:LabelSelector?! minDomains:i nodeAffinityPolicy:s nodeTaintsPolicy:s matchLabelKeys:[s]',
  Container:
    'name:s image:s command:[s] args:[s] workingDir:s ports:[ContainerPort|containerPort,protocol] envFrom:[EnvFromSource] env:[EnvVar|name] resources=:ResourceRequirements resizePolicy:[a] restartPolicy:s restartPolicyRules:[a] volumeMounts:[VolumeMount|mountPath] volumeDevices:[VolumeDevice|devicePath] livenessProbe:Probe? readinessProbe:Probe? startupProbe:Probe? lifecycle:Lifecycle? terminationMessagePath:s terminationMessagePolicy:s imagePullPolicy:s securityContext:SecurityContext? stdin:y stdinOnce:y tty:y',
  EphemeralContainer:
    'name:s image:s command:[s] args:[s] workingDir:s ports:[ContainerPort|containerPort,protocol] envFrom:[EnvFromSource] env:[EnvVar|name] resources=:ResourceRequirements volumeMounts:[VolumeMount|mountPath] livenessProbe:Probe? readinessProbe:Probe? startupProbe:Probe? lifecycle:Lifecycle? terminationMessagePath:s terminationMessagePolicy:s imagePullPolicy:s securityContext:SecurityContext? stdin:y stdinOnce:y tty:y targetContainerName:s',
  ContainerPort: 'name:s hostPort:z containerPort:i protocol:s hostIP:s',
  EnvFromSource: 'prefix:s configMapRef:EnvSource? secretRef:EnvSource?',
  EnvSource: 'name:s optional:b',
  EnvVar: 'name:s value:s valueFrom:EnvVarSource?',
  EnvVarSource:
    'fieldRef:ObjectFieldSelector?! resourceFieldRef:ResourceFieldSelector?! configMapKeyRef:KeySelector?! secretKeyRef:KeySelector?! fileKeyRef:a',
  ObjectFieldSelector: 'apiVersion:s fieldPath:s',
  ResourceFieldSelector: 'containerName:s resource:s divisor=:q',
  KeySelector: 'name:s key:s optional:b',
  ResourceRequirements: 'limits:{q} requests:{q} claims:[a]',
  VolumeMount: 'name:s readOnly:y recursiveReadOnly:s mountPath:s subPath:s mountPropagation:s subPathExpr:s',
  VolumeDevice: 'name:s devicePath:s',
  Probe:
    'exec:ExecAction? httpGet:HTTPGetAction? tcpSocket:TCPSocketAction? grpc:GRPCAction? initialDelaySeconds:z timeoutSeconds:i periodSeconds:i successThreshold:i failureThreshold:i terminationGracePeriodSeconds:i',
  ExecAction: 'command:[s]',
  HTTPGetAction: 'path:s port:x host:s scheme:s httpHeaders:[a]',
  TCPSocketAction: 'port:x host:s',
  GRPCAction: 'port:i service:s',
  Lifecycle: 'postStart:LifecycleHandler? preStop:LifecycleHandler? stopSignal:s',
  LifecycleHandler: 'exec:ExecAction? httpGet:HTTPGetAction? tcpSocket:TCPSocketAction? sleep:SleepAction?',
  SleepAction: 'seconds:i',
  SecurityContext:
    'capabilities:Capabilities? privileged:b seLinuxOptions:a windowsOptions:a runAsUser:i runAsGroup:i runAsNonRoot:b readOnlyRootFilesystem:b allowPrivilegeEscalation:b procMount:s seccompProfile:SeccompProfile? appArmorProfile:a',
  Capabilities: 'add:[s] drop:[s]',
  Volume:
    'name:s hostPath:a emptyDir:EmptyDir? gcePersistentDisk:a awsElasticBlockStore:a gitRepo:a secret:SecretVolume? nfs:a iscsi:a glusterfs:a persistentVolumeClaim:PvcVolume? rbd:a flexVolume:a cinder:a cephfs:a flocker:a downwardAPI:a fc:a azureFile:a configMap:ConfigMapVolume? vsphereVolume:a quobyte:a azureDisk:a photonPersistentDisk:a projected:ProjectedVolume? portworxVolume:a scaleIO:a storageos:a csi:a ephemeral:a image:a',
  EmptyDir: 'medium:s sizeLimit:q',
  SecretVolume: 'secretName:s items:[KeyToPath] defaultMode:i optional:b',
  ConfigMapVolume: 'name:s items:[KeyToPath] defaultMode:i optional:b',
  KeyToPath: 'key:s path:s mode:i',
  PvcVolume: 'claimName:s readOnly:y',
  ProjectedVolume: 'sources:[a] defaultMode:i',

  Pod: 'kind:s apiVersion:s metadata:ObjectMeta? spec:PodSpec status:a',
  Deployment: 'kind:s apiVersion:s metadata:ObjectMeta? spec:DeploymentSpec status:DeploymentStatus?',
  DeploymentSpec:
    'replicas:i selector:LabelSelector?! template:PodTemplateSpec strategy:DeploymentStrategy? minReadySeconds:z revisionHistoryLimit:i paused:y progressDeadlineSeconds:i',
  DeploymentStrategy: 'type:s rollingUpdate:RollingUpdateDeployment?',
  RollingUpdateDeployment: 'maxUnavailable:x maxSurge:x',
  DeploymentStatus:
    'observedGeneration:z replicas:z updatedReplicas:z readyReplicas:z availableReplicas:z unavailableReplicas:z terminatingReplicas:i conditions:[DeploymentCondition|type] collisionCount:i',
  DeploymentCondition: 'type:s status:s lastUpdateTime:t lastTransitionTime:t reason:s message:s',
  ReplicaSet: 'kind:s apiVersion:s metadata:ObjectMeta? spec:ReplicaSetSpec status:ReplicaSetStatus?',
  ReplicaSetSpec: 'replicas:i minReadySeconds:z selector:LabelSelector?! template:PodTemplateSpec',
  ReplicaSetStatus:
    'replicas=:i fullyLabeledReplicas:z readyReplicas:z availableReplicas:z terminatingReplicas:i observedGeneration:z conditions:[Condition|type]',
  Condition: 'type:s status:s observedGeneration:i lastProbeTime:a lastTransitionTime:t reason:s message:s',
  StatefulSet: 'kind:s apiVersion:s metadata:ObjectMeta? spec:StatefulSetSpec status:a',
  StatefulSetSpec:
    'replicas:i selector:LabelSelector?! template:PodTemplateSpec volumeClaimTemplates:[a] serviceName=:s podManagementPolicy:s updateStrategy:StatefulSetUpdateStrategy? revisionHistoryLimit:i minReadySeconds:z persistentVolumeClaimRetentionPolicy:PvcRetention? ordinals:a',
  PvcRetention: 'whenDeleted:s whenScaled:s',
  StatefulSetUpdateStrategy: 'type:s rollingUpdate:RollingUpdateStatefulSet?',
  RollingUpdateStatefulSet: 'partition:i maxUnavailable:x',
  DaemonSet: 'kind:s apiVersion:s metadata:ObjectMeta? spec:DaemonSetSpec status:a',
  DaemonSetSpec:
    'selector:LabelSelector?! template:PodTemplateSpec updateStrategy:DaemonSetUpdateStrategy? minReadySeconds:z revisionHistoryLimit:i',
  DaemonSetUpdateStrategy: 'type:s rollingUpdate:RollingUpdateDeployment?',
  Job: 'kind:s apiVersion:s metadata:ObjectMeta? spec:JobSpec status:a',
  JobSpec:
    'parallelism:i completions:i activeDeadlineSeconds:i podFailurePolicy:a successPolicy:a backoffLimit:i backoffLimitPerIndex:i maxFailedIndexes:i selector:LabelSelector?! manualSelector:b template:PodTemplateSpec ttlSecondsAfterFinished:i completionMode:s suspend:b podReplacementPolicy:s managedBy:s',
  CronJob: 'kind:s apiVersion:s metadata:ObjectMeta? spec:CronJobSpec status:a',
  CronJobSpec:
    'schedule:s timeZone:s startingDeadlineSeconds:i concurrencyPolicy:s suspend:b jobTemplate:JobTemplateSpec successfulJobsHistoryLimit:i failedJobsHistoryLimit:i',
  JobTemplateSpec: 'metadata:ObjectMeta? spec:JobSpec',

  Service: 'kind:s apiVersion:s metadata:ObjectMeta? spec:ServiceSpec status:a',
  ServiceSpec:
    'ports:[ServicePort|port,protocol] selector:{s}! clusterIP:s clusterIPs:[s] type:s externalIPs:[s] sessionAffinity:s loadBalancerIP:s loadBalancerSourceRanges:[s] externalName:s externalTrafficPolicy:s healthCheckNodePort:z publishNotReadyAddresses:y sessionAffinityConfig:a ipFamilies:[s] ipFamilyPolicy:s allocateLoadBalancerNodePorts:b loadBalancerClass:s internalTrafficPolicy:s trafficDistribution:s',
  ServicePort: 'name:s protocol:s appProtocol:s port:i targetPort:x nodePort:z',
  Secret: 'kind:s apiVersion:s metadata:ObjectMeta? immutable:b data:{s} stringData:{s} type:s',
  ConfigMap: 'kind:s apiVersion:s metadata:ObjectMeta? immutable:b data:{s} binaryData:{s}',
  Namespace: 'kind:s apiVersion:s metadata:ObjectMeta? spec:NamespaceSpec status:a',
  NamespaceSpec: 'finalizers:[s]',
  ServiceAccount:
    'kind:s apiVersion:s metadata:ObjectMeta? secrets:[ObjectReference|name] imagePullSecrets:[LocalObjectReference] automountServiceAccountToken:b',
  Lease: 'kind:s apiVersion:s metadata:ObjectMeta? spec:LeaseSpec',
  LeaseSpec:
    'holderIdentity:s leaseDurationSeconds:i acquireTime:m renewTime:m leaseTransitions:i strategy:s preferredHolder:s',
  PodDisruptionBudget: 'kind:s apiVersion:s metadata:ObjectMeta? spec:PodDisruptionBudgetSpec status:a',
  PodDisruptionBudgetSpec: 'minAvailable:x selector:LabelSelector?! maxUnavailable:x unhealthyPodEvictionPolicy:s',
  HorizontalPodAutoscaler: 'kind:s apiVersion:s metadata:ObjectMeta? spec:HpaSpec status:a',
  HpaSpec: 'scaleTargetRef:a minReplicas:i maxReplicas:i metrics:[a] behavior:a',
  NetworkPolicy: 'kind:s apiVersion:s metadata:ObjectMeta? spec:NetworkPolicySpec',
  NetworkPolicySpec: 'podSelector=:LabelSelector ingress:[a] egress:[a] policyTypes:[s]',
  Role: 'kind:s apiVersion:s metadata:ObjectMeta? rules=:[PolicyRule]',
  ClusterRole: 'kind:s apiVersion:s metadata:ObjectMeta? rules=:[PolicyRule] aggregationRule:a',
  PolicyRule: 'verbs:[s] apiGroups:[s] resources:[s] resourceNames:[s] nonResourceURLs:[s]',
  RoleBinding: 'kind:s apiVersion:s metadata:ObjectMeta? subjects:[Subject] roleRef:RoleRef',
  ClusterRoleBinding: 'kind:s apiVersion:s metadata:ObjectMeta? subjects:[Subject] roleRef:RoleRef',
  Subject: 'kind:s apiGroup:s name:s namespace:s',
  RoleRef: 'apiGroup:s kind:s name:s',
  ResourceQuota: 'kind:s apiVersion:s metadata:ObjectMeta? spec:ResourceQuotaSpec status:a',
  ResourceQuotaSpec: 'hard:{q} scopes:[s] scopeSelector:a',
};

export type ScalarType = 's' | 'i' | 'z' | 'b' | 'y' | 'x' | 'q' | 't' | 'm';

/** How a value is shaped; what the writers of the API share. */
export type Shape =
  | { is: 'scalar'; type: ScalarType }
  | { is: 'any' }
  | { is: 'struct'; name: string; fields: ReadonlyMap<string, Field>; atomic: boolean; pointer: boolean }
  | { is: 'map'; item: Shape; atomic: boolean }
  | { is: 'list'; item: Shape; keys: readonly string[]; set: boolean };

export interface Field {
  name: string;
  shape: Shape;
  /** Printed even when empty. */
  keepEmpty: boolean;
}

export const ANY: Shape = { is: 'any' };

const structs = new Map<string, Map<string, Field>>();

function fieldsOf(name: string): Map<string, Field> {
  const known = structs.get(name);
  if (known !== undefined) return known;
  const source = SHAPES[name];
  if (source === undefined) throw new Error(`no shape named ${name}`);
  const fields = new Map<string, Field>();
  structs.set(name, fields);
  for (const word of source.split(' ')) {
    const colon = word.indexOf(':');
    const keepEmpty = word[colon - 1] === '=';
    const field = word.slice(0, keepEmpty ? colon - 1 : colon);
    fields.set(field, { name: field, shape: parse(word.slice(colon + 1)), keepEmpty });
  }
  return fields;
}

function parse(text: string): Shape {
  if (text.startsWith('{')) {
    const atomic = text.endsWith('!');
    return { is: 'map', item: parse(text.slice(1, atomic ? -2 : -1)), atomic };
  }
  if (text.startsWith('[')) {
    const [item = 'a', keys] = text.slice(1, -1).split('|');
    const set = keys === '=';
    return { is: 'list', item: parse(item), keys: set || keys === undefined ? [] : keys.split(','), set };
  }
  if (text === 'a') return ANY;
  if (text.length === 1) return { is: 'scalar', type: text as 's' };
  const name = text.replace(/[?!]/g, '');
  return {
    is: 'struct',
    name,
    get fields() {
      return fieldsOf(name);
    },
    atomic: text.includes('!'),
    pointer: text.includes('?'),
  };
}

const byKind = new Map<string, Shape>();

/** The shape of a kind's object, or `undefined` for kinds kept as open JSON (custom resources, Node, Event, …). */
export function shapeOf(kind: string): Shape | undefined {
  if (SHAPES[kind] === undefined || !SHAPES[kind].startsWith('kind:')) return undefined;
  let shape = byKind.get(kind);
  if (shape === undefined) {
    shape = parse(kind);
    byKind.set(kind, shape);
  }
  return shape;
}

/** `metadata` alone, for the kinds without a shape of their own. */
export const METADATA: Shape = parse('ObjectMeta?');

/** The shape one step down: a field of a struct, an item of a map; `ANY` where nothing is known. */
export function child(shape: Shape, key: string): Shape {
  if (shape.is === 'struct') return shape.fields.get(key)?.shape ?? ANY;
  if (shape.is === 'map') return shape.item;
  return ANY;
}
