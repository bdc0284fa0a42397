export interface ClusterOptions {
  /** Services in the fleet: the guide's 16 unless given; more are generated. */
  services?: number;
  seed?: number;
  /** `KIND[:SERVICE]`, see faults/kinds.ts. */
  faults?: readonly string[];
  /** Password of the database role `nova_user`; random unless given. */
  password?: string;
  /** Port of the API server; a free one unless given. */
  port?: number;
  /** Folder for the kubeconfig and everything else; a temporary one, removed at the end, unless given. */
  dir?: string;
  log?: (line: string) => void;
}

export interface ServiceLoad {
  queries: number;
  failed: number;
  errors: Record<string, number>;
  pods: number;
  ready: number;
}

export interface LoadReport {
  since: string;
  services: Record<string, ServiceLoad>;
  totals: { queries: number; failed: number };
}

export interface Cluster {
  kubeconfigPath: string;
  url: string;
  report(): LoadReport;
  close(): Promise<void>;
}
