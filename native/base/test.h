// The unit test harness: a TEST is a function that registers itself, a check that fails is reported
// with both of its values and the test goes on, an assertion that fails ends its test.
//
//   TEST(page_header_of_zeroes_is_new) {
//     EXPECT(page_is_new(page));
//     EXPECT_EQ(page_free_bytes(page), 8168);
//   }
//
// Link base/test_main.cc once into each test program. Run one test with --filter=TEXT, replay a
// random one with --seed=N or PGDATA_SEED=N; the seed of every run is printed.
#pragma once

#include <cstdint>
#include <cstring>
#include <ostream>
#include <random>
#include <sstream>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace pgdata::test {

using TestFunction = void (*)();

// Adds a test to the program's list; used by TEST alone. Always returns true.
bool add_test(const char* name, TestFunction function);

// Marks the running test as failed and prints where and why.
void report_failure(const char* file, int line, const std::string& message);

// The seed of this run: from --seed, else PGDATA_SEED, else the clock.
uint64_t seed();

// A generator seeded with seed() and the name of the running test, so that a test draws the same
// numbers whether it runs alone or after others.
std::mt19937_64 random_engine();

template <typename T>
concept Streamable = requires(std::ostream& out, const T& value) {
  out << value;
};

// A value as a failure message shows it: enums and characters as numbers, other types that have no
// stream operator as their bytes.
template <typename T>
std::string show(const T& value) {
  std::ostringstream out;
  if constexpr (std::is_same_v<T, bool>) {
    out << (value ? "true" : "false");
  } else if constexpr (std::is_same_v<T, std::nullptr_t>) {
    out << "nullptr";
  } else if constexpr (std::is_enum_v<T>) {
    out << +static_cast<std::underlying_type_t<T>>(value);
  } else if constexpr (std::is_integral_v<T>) {
    out << +value;
  } else if constexpr (std::is_same_v<T, std::string> || std::is_same_v<T, std::string_view>) {
    out << '"' << value << '"';
  } else if constexpr (Streamable<T>) {
    out << value;
  } else {
    unsigned char bytes[sizeof(T)];
    std::memcpy(bytes, static_cast<const void*>(&value), sizeof(T));
    out << "bytes";
    for (unsigned char byte : bytes) out << ' ' << std::hex << +byte;
  }
  return out.str();
}

// Integers of different signs are compared by value, so that EXPECT_EQ(size, 3) needs no cast.
template <typename A, typename B>
constexpr bool equal(const A& a, const B& b) {
  if constexpr (std::is_integral_v<A> && std::is_integral_v<B> && !std::is_same_v<A, bool> &&
                !std::is_same_v<B, bool>) {
    if constexpr (std::is_signed_v<A> == std::is_signed_v<B>) {
      return a == b;
    } else if constexpr (std::is_signed_v<A>) {
      return a >= 0 && static_cast<std::make_unsigned_t<A>>(a) == b;
    } else {
      return b >= 0 && a == static_cast<std::make_unsigned_t<B>>(b);
    }
  } else {
    return a == b;
  }
}

template <typename A, typename B>
bool check_equal(const char* file, int line, const char* a_text, const char* b_text, const A& a,
                 const B& b) {
  if (equal(a, b)) return true;
  report_failure(file, line,
                 std::string("expected ") + a_text + " == " + b_text + "\n    left:  " + show(a) +
                     "\n    right: " + show(b));
  return false;
}

template <typename A, typename B>
bool check_different(const char* file, int line, const char* a_text, const char* b_text, const A& a,
                     const B& b) {
  if (!equal(a, b)) return true;
  report_failure(file, line,
                 std::string("expected ") + a_text + " != " + b_text + "\n    both:  " + show(a));
  return false;
}

inline bool check_true(const char* file, int line, const char* text, bool condition) {
  if (condition) return true;
  report_failure(file, line, std::string("expected ") + text);
  return false;
}

// A template so that this header does not depend on Status, which has tests of its own.
template <typename S>
bool check_ok(const char* file, int line, const char* text, const S& status) {
  if (status.is_ok()) return true;
  report_failure(
      file, line,
      std::string("expected success of ") + text + "\n    got: " + status.report().message);
  return false;
}

}  // namespace pgdata::test

// Defines and registers a test. The name is a sentence of what holds: TEST(empty_page_has_no_items).
#define TEST(name)                                         \
  static void test_##name();                               \
  [[maybe_unused]] static const bool test_##name##_added = \
      ::pgdata::test::add_test(#name, &test_##name);       \
  static void test_##name()

// Checks: a failure is reported and the test goes on.
#define EXPECT(condition) \
  static_cast<void>(      \
      ::pgdata::test::check_true(__FILE__, __LINE__, #condition, static_cast<bool>(condition)))
#define EXPECT_EQ(a, b) \
  static_cast<void>(::pgdata::test::check_equal(__FILE__, __LINE__, #a, #b, (a), (b)))
#define EXPECT_NE(a, b) \
  static_cast<void>(::pgdata::test::check_different(__FILE__, __LINE__, #a, #b, (a), (b)))
#define EXPECT_OK(status) \
  static_cast<void>(::pgdata::test::check_ok(__FILE__, __LINE__, #status, (status)))

// Assertions: a failure is reported and ends the test.
#define ASSERT(condition)                                                                          \
  do {                                                                                             \
    if (!::pgdata::test::check_true(__FILE__, __LINE__, #condition, static_cast<bool>(condition))) \
      return;                                                                                      \
  } while (false)
#define ASSERT_EQ(a, b)                                                             \
  do {                                                                              \
    if (!::pgdata::test::check_equal(__FILE__, __LINE__, #a, #b, (a), (b))) return; \
  } while (false)
#define ASSERT_OK(status)                                                         \
  do {                                                                            \
    if (!::pgdata::test::check_ok(__FILE__, __LINE__, #status, (status))) return; \
  } while (false)
