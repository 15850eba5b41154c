// Types of ocean.js.

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

export interface Keypair {
  public: string;
  private: string;
}

export interface OceanRecord<T = Json> {
  drop_id: string;
  route: string;
  key?: string;
  payload: T;
  source: string;
  created_at: string;
  version?: number;
  expires_at?: string;
  price?: number;
  price_per_read?: number;
}

export interface Saved {
  drop_id: string;
  route: string;
  key?: string;
  source: string;
  created_at: string;
  version?: number;
  keypair?: Keypair;
}

export interface Found<T = Json> {
  results: OceanRecord<T>[] | T[];
  count: number;
  time_ms: number;
  next_cursor?: string;
}

export interface SearchResult<T = Json> extends OceanRecord<T> {
  score: number;
  snippet?: string;
}

export interface Searched<T = Json> {
  results: SearchResult<T>[];
  searched: number;
  facets?: { [field: string]: { value: Json; count: number }[] };
}

export interface Question {
  filter?: { [field: string]: Json };
  sort?: Json;
  limit?: number;
  skip?: number;
  select?: Json[];
  count?: boolean;
  group?: Json;
  aggregate?: { [name: string]: Json };
  having?: { [field: string]: Json };
  join?: Json;
  cursor?: string;
  resolve?: boolean;
  deep?: boolean;
}

export interface SearchQuestion {
  vector?: number[];
  mode?: "text" | "vector" | "hybrid";
  fusion?: "weighted" | "rrf";
  top_k?: number;
  min_score?: number;
  filter?: { [field: string]: Json };
  facets?: string[];
  language?: string;
  wait?: boolean;
}

export interface StreamOptions {
  last?: number;
  from?: number | string;
  signal?: AbortSignal;
  on?: (event: "caught-up" | "gap" | "lagged" | "closed", data: Json) => void;
}

export interface ListenOptions {
  signal?: AbortSignal;
  on?: (event: "join" | "leave" | "lagged" | "closed", data: Json) => void;
}

export interface PushMessage {
  to: string | string[];
  title: string;
  body?: string;
  url?: string;
  icon?: string;
  tag?: string;
}

export class OceanError extends Error {
  status: number;
  code: string;
  hint?: string;
  details: { [name: string]: Json };
}

export class Ocean {
  constructor(options?: { url?: string; key?: string; fetch?: typeof fetch });
  url: string;
  key?: string;
  onkey?: (pair: Keypair) => void;
  push: Push;
  exec(statement: string): Promise<any>;
  save(route: string, payload: Json, options?: {
    key?: string; ttl?: number; price?: number; pricePerRead?: number; public?: boolean; ifMatch?: string; ifNoneMatch?: "*"; wait?: boolean; idempotencyKey?: string;
  }): Promise<Saved>;
  get<T = Json>(route: string, key: string, options?: {
    at?: string; history?: boolean; embedDepth?: number; resolve?: boolean;
  }): Promise<OceanRecord<T>>;
  list<T = Json>(route: string, options?: { limit?: number; cursor?: string }): Promise<{ entities: OceanRecord<T>[]; next_cursor?: string }>;
  update<T = Json>(route: string, key: string, changes: { [field: string]: Json }, options?: { ifMatch?: string }): Promise<OceanRecord<T>>;
  remove(route: string, key: string, options?: { ifMatch?: string }): Promise<{ deleted: true; drop_id: string }>;
  bulk(ops: { op: "save" | "update" | "remove" | "unpublish"; route: string; key?: string; payload?: Json }[]): Promise<{ results: any[] }>;
  find<T = Json>(prefix: string, question?: Question): Promise<Found<T>>;
  search<T = Json>(prefix: string, text?: string, question?: SearchQuestion): Promise<Searched<T>>;
  sql(query: string): Promise<{ columns: string[]; rows: Json[][]; time_ms: number; truncated?: boolean }>;
  add(route: string, key: string, field: string, by?: number): Promise<{ route: string; key: string; field: string; value: number }>;
  run(route: string, request?: { [field: string]: Json }): Promise<{ result: Json; ms: number; printed?: string }>;
  run(route: string, request: { [field: string]: Json }, options: { queued: true }): Promise<{ job_id: string; status: string }>;
  job(id: string): Promise<{ job_id: string; status: "running" | "done" | "failed"; route: string; created_at: string; done_at?: string;
    ms?: number; result?: Json; error?: { code: string; message: string } }>;
  whoami(): Promise<{ tier: string; key?: string }>;
  stream<T = Json>(route: string, options?: StreamOptions): AsyncGenerator<OceanRecord<T>>;
  broadcast(route: string, payload: Json): Promise<{ ok: true; stream: true; recording: boolean }>;
  listen<T = Json>(route: string, options?: ListenOptions): AsyncGenerator<OceanRecord<T>>;
  presence(route: string): Promise<{ route: string; count: number; listeners: { key?: string; since: string }[] }>;
  upload(route: string, file: Blob | ArrayBuffer | Uint8Array, options?: {
    type?: string; onprogress?: (sent: number, total: number) => void; signal?: AbortSignal;
  }): Promise<Saved & { url: string }>;
  blobUrl(dropId: string): string;
  request(method: string, address: string, options?: {
    query?: { [name: string]: Json | undefined }; json?: Json; body?: BodyInit; type?: string; headers?: { [name: string]: string };
  }): Promise<any>;
}

export class Push {
  subscribe(options?: { worker?: string; registration?: ServiceWorkerRegistration }): Promise<{ id: string; kind: "browser"; host: string }>;
  follow(prefix: string): Promise<{ id: string; kind: "folder"; prefix: string; created_at: string }>;
  send(message: PushMessage): Promise<{ queued: number; ids: string[] }>;
  subscriptions(): Promise<{ subscriptions: any[]; count: number }>;
  unsubscribe(id: string): Promise<{ deleted: true; id: string }>;
}
