// ExpressionList: expressions, each once: the columns of what a projection makes.
import type { BoundExpression } from './expression.ts'

/** Two expressions are the same if these are. */
export function expressionKey(expression: BoundExpression): string {
  if (expression.kind === 'column') return `${expression.table} ${expression.attribute}`
  return JSON.stringify(expression, (_, one) =>
    one instanceof Uint8Array ? Buffer.from(one).toString('hex') : one,
  )
}

export class ExpressionList {
  readonly expressions: BoundExpression[] = []
  readonly #places = new Map<string, number>()

  /** Its place, which it gets at the end if it is new. */
  add(expression: BoundExpression): number {
    const key = expressionKey(expression)
    let place = this.#places.get(key)
    if (place === undefined) {
      place = this.expressions.push(expression) - 1
      this.#places.set(key, place)
    }
    return place
  }

  placeOf(expression: BoundExpression): number | undefined {
    return this.#places.get(expressionKey(expression))
  }
}
