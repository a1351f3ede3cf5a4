// Planning of statements that change rows: what finds the rows, and what is made of them.
import type { AccessColumn } from '../access/relation-access.ts'
import type {
  NativeAssignments,
  NativeChange,
  NativeChangeNode,
  NativeExpression,
  NativeFoundRows,
  NativeOnConflict,
  NativePlanNode,
  NativeReturning,
  NativeType,
} from '../binding/native.ts'
import { nativeLane } from '../relation/descriptor.ts'
import type { RelationInfo } from '../relation/relation-cache.ts'
import { analyzeConditions } from './analyze-conditions.ts'
import type { Names } from './analyze-expression.ts'
import { arbitersOf } from './arbiters.ts'
import { type Assignment, analyzeAssignments } from './assign.ts'
import type {
  DeleteRequest,
  InsertRequest,
  OnConflict,
  Returning,
  UpdateRequest,
} from './change.ts'
import { choosePlan } from './choose-plan.ts'
import { quoteIdentifier } from './explain-expression.ts'
import type { ShownConflict } from './explain-insert.ts'
import { type BoundExpression, malformed, nativeType, place, visitColumns } from './expression.ts'
import { cheapestFirst } from './expression-cost.ts'
import { outputColumn, refuseDuplicates } from './output-columns.ts'
import type { PlanContext } from './plan-context.ts'
import { PlanCosts } from './plan-costs.ts'
import { planTables } from './plan-joins.ts'
import { Scope, type ScopeTable } from './scope.ts'

export interface ChangePlan {
  relation: RelationInfo
  native: NativeChange
  /** Names and codecs of what it gives. */
  columns: Pick<AccessColumn, 'name' | 'codec'>[]
  /** How the rows are found; of an insertion, undefined. */
  found: FoundRows | undefined
  /** Of an insertion with ON CONFLICT. */
  conflict?: ShownConflict
}

/** How an update or a deletion finds its rows, as EXPLAIN tells it. */
export interface FoundRows {
  node: NativePlanNode
  tables: readonly ScopeTable[]
  costs: PlanCosts
}

// SelfItemPointerAttributeNumber: the address of a row, which batches have as a number.
const addressAttribute = -1
const addressType: NativeType = {
  oid: 27,
  length: 8,
  byValue: true,
  collation: 0,
  elementType: 0,
}
const address: BoundExpression = {
  kind: 'column',
  type: addressType,
  table: 0,
  attribute: addressAttribute,
}
const excludedAlias = 'excluded'
const outputBatchRows = 1000

// Those of a table that expressions read.
function attributesOf(expressions: readonly BoundExpression[], of = 0): number[] {
  const attributes = new Set<number>()
  for (const expression of expressions) {
    visitColumns(expression, ({ table, attribute }) => {
      if (table === of) attributes.add(attribute)
    })
  }
  return [...attributes].sort((a, b) => a - b)
}

function placedIn(attributes: readonly number[]): (one: BoundExpression) => NativeExpression {
  return (one) => place(one, ({ attribute }) => attributes.indexOf(attribute))
}

/** One statement on one table. */
export class ChangePlanner {
  readonly #context: PlanContext
  readonly #relation: RelationInfo
  readonly #scope: Scope
  readonly #names: Names

  constructor(context: PlanContext, relation: RelationInfo) {
    this.#context = context
    this.#relation = relation
    this.#scope = new Scope([{ relation, alias: relation.name, isHidden: false }])
    this.#names = { codecOf: context.codecOf, column: (name) => this.#scope.column(name) }
  }

  insert({ onConflict, returning }: InsertRequest): ChangePlan {
    if (onConflict === undefined)
      return this.#plan({ node: 'insert', onConflict: null }, returning, undefined)
    const planned = this.#onConflict(onConflict)
    return {
      ...this.#plan({ node: 'insert', onConflict: planned }, returning, undefined),
      conflict: this.#shownConflict(onConflict, planned),
    }
  }

  #shownConflict(given: OnConflict, planned: NativeOnConflict): ShownConflict {
    const { updates, conditions, existing, excluded } = planned
    const { indexes } = this.#relation.access.descriptor
    const isOfSome =
      given !== 'do nothing' && (given.columns !== undefined || given.constraint !== undefined)
    const columnsOf = (table: string, attributes: readonly number[]) =>
      attributes.map((attribute) => {
        const column = this.#relation.columns.find((one) => one.attribute === attribute)
        const text = `${quoteIdentifier(table)}.${quoteIdentifier(column?.name ?? '?')}`
        return { text, isPlain: true }
      })
    return {
      resolution: updates ? 'UPDATE' : 'NOTHING',
      arbiters: isOfSome ? planned.arbiters.map((one) => indexes[one]?.name ?? '?') : [],
      conditions,
      columns: [...columnsOf(this.#relation.name, existing), ...columnsOf(excludedAlias, excluded)],
    }
  }

  update(request: UpdateRequest): ChangePlan {
    const conditions = cheapestFirst(analyzeConditions(this.#names, request.where))
    const typeOf = (attribute: number) => this.#scope.typeOf({ table: 0, attribute })
    const assignments = analyzeAssignments(this.#names, this.#relation, typeOf, request.set)
    const expressions = assignments.map(({ expression }) => expression)
    const [rows, found] = this.#find(conditions, expressions)
    const placed = placedIn(rows.attributes)
    return this.#plan(
      { node: 'update', ...rows, ...nativeAssignments(assignments, placed) },
      request.returning,
      found,
    )
  }

  delete(request: DeleteRequest): ChangePlan {
    const conditions = cheapestFirst(analyzeConditions(this.#names, request.where))
    const [rows, found] = this.#find(conditions, [])
    return this.#plan({ node: 'delete', ...rows }, request.returning, found)
  }

  #onConflict(given: OnConflict): NativeOnConflict {
    const arbiters = arbitersOf(this.#relation, given)
    const { update, where } = given === 'do nothing' ? {} : given
    if (update === undefined) {
      if (where !== undefined) throw malformed('"where" of "onConflict" is about "update"')
      const nothing = { conditions: [], set: [], expressions: [], casts: [] }
      return { arbiters, updates: false, existing: [], excluded: [], ...nothing }
    }
    const [existing] = this.#scope.tables
    const scope = new Scope([
      existing as ScopeTable,
      { relation: this.#relation, alias: excludedAlias, isHidden: true },
    ])
    const names: Names = {
      codecOf: this.#context.codecOf,
      column: (name) => scope.column(name, name.startsWith(`${excludedAlias}.`)),
      excluded: (name) => scope.column(`${excludedAlias}.${name}`, true),
    }
    const conditions = analyzeConditions(names, where)
    const typeOf = (attribute: number) => scope.typeOf({ table: 0, attribute })
    const assignments = analyzeAssignments(names, this.#relation, typeOf, update)
    const read = [...conditions, ...assignments.map(({ expression }) => expression)]
    const attributes = [attributesOf(read, 0), attributesOf(read, 1)] as const
    const placed = (one: BoundExpression) =>
      place(one, ({ table, attribute }) =>
        table === 0
          ? attributes[0].indexOf(attribute)
          : attributes[0].length + attributes[1].indexOf(attribute),
      )
    return {
      arbiters,
      updates: true,
      existing: attributes[0],
      excluded: attributes[1],
      conditions: conditions.map(placed),
      ...nativeAssignments(assignments, placed),
    }
  }

  // The rows that meet the conditions, with what these and the expressions read.
  #find(
    conditions: readonly BoundExpression[],
    expressions: readonly BoundExpression[],
  ): [NativeFoundRows, FoundRows] {
    const attributes = attributesOf([...conditions, ...expressions])
    const columns: BoundExpression[] = attributes.map((attribute) => ({
      kind: 'column',
      type: nativeType(this.#scope.typeOf({ table: 0, attribute })),
      table: 0,
      attribute,
    }))
    const read = [address, ...columns]
    const statistics = [this.#context.statisticsOf(this.#relation)]
    const { codecOf, settings } = this.#context
    const costs = new PlanCosts(settings, statistics, codecOf)
    const ways = planTables(this.#context, this.#scope, {}, conditions, read, costs, [])
    const { stage } = choosePlan(costs, ways, { order: [], rows: undefined })
    const all = [addressAttribute, ...attributes]
    const child: NativePlanNode = {
      node: 'project',
      child: stage.node,
      expressions: read.map(stage.place),
    }
    // PostgreSQL computes the new values where the rows are found.
    const computed = [...expressions, address].map(stage.place)
    const width = costs.width(computed, stage.node)
    costs.set(child, { ...costs.of({ ...child, expressions: computed }), width })
    return [
      { child, attributes: all, conditions: conditions.map(placedIn(all)) },
      { node: child, tables: this.#scope.tables, costs },
    ]
  }

  #plan(
    node: NativeChangeNode,
    returning: Returning | undefined,
    found: FoundRows | undefined,
  ): ChangePlan {
    const output = this.#output(returning)
    const attributes = attributesOf(output.map(({ expression }) => expression))
    const given: NativeReturning | null =
      returning === undefined
        ? null
        : {
            attributes,
            expressions: output.map(({ expression }) => placedIn(attributes)(expression)),
          }
    return {
      relation: this.#relation,
      native: {
        ...node,
        relation: this.#relation.access.native,
        returning: given,
        columns: output.map(({ type }) => ({ ...nativeType(type), lane: nativeLane(type.codec) })),
        capacity: outputBatchRows,
        bytewiseDefaultCollation: this.#context.bytewiseDefaultCollation,
      },
      columns: output.map(({ name, type }) => ({ name, codec: type.codec })),
      found,
    }
  }

  #output(returning: Returning | undefined) {
    if (returning === undefined) return []
    if (returning === '*') return this.#scope.columns()
    if (!Array.isArray(returning) || returning.length === 0)
      throw malformed('"returning" takes a list of columns')
    const output = returning.map((column) => outputColumn(this.#names, column))
    refuseDuplicates(output)
    return output
  }
}

function nativeAssignments(
  assignments: readonly Assignment[],
  placed: (one: BoundExpression) => NativeExpression,
): NativeAssignments {
  return {
    set: assignments.map(({ attribute }) => attribute),
    expressions: assignments.map(({ expression }) => placed(expression)),
    casts: assignments.map(({ cast }) => cast),
  }
}
