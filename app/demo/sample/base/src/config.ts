export interface Config {
  port: number;
  databasePath: string;
}

export function load(environment: NodeJS.ProcessEnv): Config {
  return {
    port: Number(environment.PORT ?? 3000),
    databasePath: required(environment, "DATABASE_PATH"),
  };
}

export function required(environment: NodeJS.ProcessEnv, name: string): string {
  const value = environment[name];
  if (!value) throw new Error(`${name} is not set`);
  return value;
}
