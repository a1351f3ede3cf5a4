// Work that is done at once, or later when it had to wait.

/** What `next` makes of a result: at once if the result is there, else as a promise. */
export function whenDone<T, R>(
  result: T | Promise<T>,
  next: (value: T) => R | Promise<R>,
): R | Promise<R> {
  return result instanceof Promise ? result.then(next) : next(result)
}

/** As `action`, with what it throws, or rejects with, replaced. */
export function withError<T>(
  action: () => T | Promise<T>,
  replace: (error: unknown) => unknown,
): T | Promise<T> {
  try {
    const result = action()
    if (!(result instanceof Promise)) return result
    return result.catch((error) => {
      throw replace(error)
    })
  } catch (error) {
    throw replace(error)
  }
}
