// The public interface of pgdata: everything that `import 'pgdata'` gives.
export { PgError, type PgErrorFields } from './errors/pg-error.ts'
export { version } from './binding/addon.ts'
