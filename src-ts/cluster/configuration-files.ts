// The configuration files of a new cluster, which pgdata and stock PostgreSQL both read; pg_hba.conf and pg_ident.conf are
// for stock alone.
import { autoConfigurationHead } from '../config/auto-configuration.ts'

export interface ConfigurationOptions {
  locale: string
}

function postgresqlConf({ locale }: ConfigurationOptions): string {
  return `# Settings of this cluster, for pgdata and for stock PostgreSQL; options of Cluster.open count before them.
# Lines are "name = value"; memory takes kB, MB, GB, time ms, s, min, h, d.

max_connections = 100
shared_buffers = 128MB
dynamic_shared_memory_type = posix
max_wal_size = 1GB
min_wal_size = 80MB
log_timezone = 'Etc/UTC'
datestyle = 'iso, mdy'
timezone = 'Etc/UTC'
lc_messages = '${locale}'
lc_monetary = '${locale}'
lc_numeric = '${locale}'
lc_time = '${locale}'
default_text_search_config = 'pg_catalog.english'
`
}

const hbaConf = `# Who may connect to a stock PostgreSQL server on this directory, first match wins.
# TYPE  DATABASE        USER            ADDRESS                 METHOD
local   all             all                                     trust
host    all             all             127.0.0.1/32            trust
host    all             all             ::1/128                 trust
local   replication     all                                     trust
host    replication     all             127.0.0.1/32            trust
host    replication     all             ::1/128                 trust
`

const identConf = `# Maps operating-system users to roles for a stock PostgreSQL server.
# MAPNAME       SYSTEM-USERNAME         DATABASE-USERNAME
`

/** File name to contents. */
export function configurationFiles(options: ConfigurationOptions): Record<string, string> {
  return {
    'postgresql.conf': postgresqlConf(options),
    'postgresql.auto.conf': autoConfigurationHead,
    'pg_hba.conf': hbaConf,
    'pg_ident.conf': identConf,
  }
}
