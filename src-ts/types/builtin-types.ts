// The built-in types that have a codec, as rows of pg_type, with the array type of each; plus the
// names of the built-in types that do not, so that they can be refused by name.

/** The columns of pg_type that say how a value is stored. */
export interface BuiltinType {
  readonly oid: number
  /** typname: 'int4', 'bpchar'; of an array '_int4'. */
  readonly name: string
  readonly typarray: number
  /** Bytes of a fixed-length type; -1 for a varlena, -2 for a C string. */
  readonly typlen: number
  readonly typbyval: boolean
  readonly typalign: 'c' | 's' | 'i' | 'd'
  /** Plain, external, main or extended. */
  readonly typstorage: 'p' | 'e' | 'm' | 'x'
  /** The element type of an array, and of oidvector and int2vector; else 0. */
  readonly typelem: number
  readonly typdelim: string
}

type TypeRow = readonly [
  oid: number,
  name: string,
  typarray: number,
  typlen: number,
  typbyval: boolean,
  typalign: BuiltinType['typalign'],
  typstorage: BuiltinType['typstorage'],
  typelem: number,
]

// Source: src/include/catalog/pg_type.dat, PostgreSQL 18, read from a running server.
const rows: readonly TypeRow[] = [
  [16, 'bool', 1000, 1, true, 'c', 'p', 0],
  [17, 'bytea', 1001, -1, false, 'i', 'x', 0],
  [18, 'char', 1002, 1, true, 'c', 'p', 0],
  [19, 'name', 1003, 64, false, 'c', 'p', 0],
  [20, 'int8', 1016, 8, true, 'd', 'p', 0],
  [21, 'int2', 1005, 2, true, 's', 'p', 0],
  [22, 'int2vector', 1006, -1, false, 'i', 'p', 21],
  [23, 'int4', 1007, 4, true, 'i', 'p', 0],
  [24, 'regproc', 1008, 4, true, 'i', 'p', 0],
  [25, 'text', 1009, -1, false, 'i', 'x', 0],
  [26, 'oid', 1028, 4, true, 'i', 'p', 0],
  [27, 'tid', 1010, 6, false, 's', 'p', 0],
  [28, 'xid', 1011, 4, true, 'i', 'p', 0],
  [29, 'cid', 1012, 4, true, 'i', 'p', 0],
  [30, 'oidvector', 1013, -1, false, 'i', 'p', 26],
  [114, 'json', 199, -1, false, 'i', 'x', 0],
  [194, 'pg_node_tree', 0, -1, false, 'i', 'x', 0],
  [700, 'float4', 1021, 4, true, 'i', 'p', 0],
  [701, 'float8', 1022, 8, true, 'd', 'p', 0],
  [705, 'unknown', 0, -2, false, 'c', 'p', 0],
  [1033, 'aclitem', 1034, 16, false, 'd', 'p', 0],
  [1042, 'bpchar', 1014, -1, false, 'i', 'x', 0],
  [1043, 'varchar', 1015, -1, false, 'i', 'x', 0],
  [1082, 'date', 1182, 4, true, 'i', 'p', 0],
  [1083, 'time', 1183, 8, true, 'd', 'p', 0],
  [1114, 'timestamp', 1115, 8, true, 'd', 'p', 0],
  [1184, 'timestamptz', 1185, 8, true, 'd', 'p', 0],
  [1186, 'interval', 1187, 16, false, 'd', 'p', 0],
  [1266, 'timetz', 1270, 12, false, 'd', 'p', 0],
  [1700, 'numeric', 1231, -1, false, 'i', 'm', 0],
  [1790, 'refcursor', 2201, -1, false, 'i', 'x', 0],
  [2202, 'regprocedure', 2207, 4, true, 'i', 'p', 0],
  [2203, 'regoper', 2208, 4, true, 'i', 'p', 0],
  [2204, 'regoperator', 2209, 4, true, 'i', 'p', 0],
  [2205, 'regclass', 2210, 4, true, 'i', 'p', 0],
  [2206, 'regtype', 2211, 4, true, 'i', 'p', 0],
  [2275, 'cstring', 1263, -2, false, 'c', 'p', 0],
  [2277, 'anyarray', 0, -1, false, 'd', 'x', 0],
  [2950, 'uuid', 2951, 16, false, 'c', 'p', 0],
  [3220, 'pg_lsn', 3221, 8, true, 'd', 'p', 0],
  [3734, 'regconfig', 3735, 4, true, 'i', 'p', 0],
  [3769, 'regdictionary', 3770, 4, true, 'i', 'p', 0],
  [3802, 'jsonb', 3807, -1, false, 'i', 'x', 0],
  [4089, 'regnamespace', 4090, 4, true, 'i', 'p', 0],
  [4096, 'regrole', 4097, 4, true, 'i', 'p', 0],
  [4191, 'regcollation', 4192, 4, true, 'i', 'p', 0],
  [5069, 'xid8', 271, 8, true, 'd', 'p', 0],
]

const unsupportedRows: readonly (readonly [oid: number, name: string, typarray: number])[] = [
  [142, 'xml', 143],
  [1560, 'bit', 1561],
  [1562, 'varbit', 1563],
  [2970, 'txid_snapshot', 2949],
  [3361, 'pg_ndistinct', 0],
  [3402, 'pg_dependencies', 0],
  [3614, 'tsvector', 3643],
  [3615, 'tsquery', 3645],
  [3642, 'gtsvector', 3644],
  [3904, 'int4range', 3905],
  [3906, 'numrange', 3907],
  [3908, 'tsrange', 3909],
  [3910, 'tstzrange', 3911],
  [3912, 'daterange', 3913],
  [3926, 'int8range', 3927],
  [4072, 'jsonpath', 4073],
  [4451, 'int4multirange', 6150],
  [4532, 'nummultirange', 6151],
  [4533, 'tsmultirange', 6152],
  [4534, 'tstzmultirange', 6153],
  [4535, 'datemultirange', 6155],
  [4536, 'int8multirange', 6157],
  [4600, 'pg_brin_bloom_summary', 0],
  [4601, 'pg_brin_minmax_multi_summary', 0],
  [5017, 'pg_mcv_list', 0],
  [5038, 'pg_snapshot', 5039],
  [600, 'point', 1017],
  [601, 'lseg', 1018],
  [602, 'path', 1019],
  [603, 'box', 1020],
  [604, 'polygon', 1027],
  [628, 'line', 629],
  [650, 'cidr', 651],
  [718, 'circle', 719],
  [774, 'macaddr8', 775],
  [790, 'money', 791],
  [829, 'macaddr', 1040],
  [869, 'inet', 1041],
]

const byOid = new Map<number, BuiltinType>()
const byName = new Map<string, BuiltinType>()
const unsupportedByOid = new Map<number, string>()
const unsupportedByName = new Map<string, number>()

function add(type: BuiltinType): void {
  byOid.set(type.oid, type)
  byName.set(type.name, type)
}

for (const [oid, name, typarray, typlen, typbyval, typalign, typstorage, typelem] of rows) {
  add({ oid, name, typarray, typlen, typbyval, typalign, typstorage, typelem, typdelim: ',' })
  if (typarray === 0) continue
  add({
    oid: typarray,
    name: `_${name}`,
    typarray: 0,
    typlen: -1,
    typbyval: false,
    typalign: typalign === 'd' ? 'd' : 'i',
    typstorage: 'x',
    typelem: oid,
    typdelim: ',',
  })
}
for (const [oid, name, typarray] of unsupportedRows) {
  unsupportedByOid.set(oid, name)
  unsupportedByName.set(name, oid)
  if (typarray === 0) continue
  unsupportedByOid.set(typarray, `${name}[]`)
  unsupportedByName.set(`_${name}`, typarray)
}

export function builtinType(oid: number): BuiltinType | undefined {
  return byOid.get(oid)
}

/** By typname, as pg_type spells it. */
export function builtinTypeNamed(name: string): BuiltinType | undefined {
  return byName.get(name)
}

/** The name of a built-in type that has no codec. */
export function unsupportedTypeName(oid: number): string | undefined {
  return unsupportedByOid.get(oid)
}

/** The OID of a built-in type that has no codec, by typname. */
export function unsupportedTypeOid(name: string): number | undefined {
  return unsupportedByName.get(name)
}

/** Every built-in type that has a codec, arrays included. */
export function builtinTypes(): Iterable<BuiltinType> {
  return byOid.values()
}
