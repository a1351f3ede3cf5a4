// PlannerSettings: what a session's settings say of what work costs, and of the kinds of plans that it wants.

const switches = [
  'enable_seqscan',
  'enable_indexscan',
  'enable_indexonlyscan',
  'enable_bitmapscan',
  'enable_hashjoin',
  'enable_material',
  'enable_mergejoin',
  'enable_nestloop',
  'enable_sort',
  'enable_hashagg',
] as const

const numbers = [
  'seq_page_cost',
  'random_page_cost',
  'cpu_tuple_cost',
  'cpu_index_tuple_cost',
  'cpu_operator_cost',
  // Blocks of 8 kB.
  'effective_cache_size',
  // Kilobytes.
  'work_mem',
  'hash_mem_multiplier',
] as const

export type PlannerSetting = (typeof switches)[number] | (typeof numbers)[number]
export type PlannerSettings = Record<(typeof switches)[number], boolean> &
  Record<(typeof numbers)[number], number>

/** `textOf`: a setting's value in its unit. */
export function plannerSettings(textOf: (name: PlannerSetting) => string): PlannerSettings {
  return Object.fromEntries([
    ...switches.map((name) => [name, textOf(name) === 'on']),
    ...numbers.map((name) => [name, Number(textOf(name))]),
  ]) as PlannerSettings
}
