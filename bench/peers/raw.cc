// What the machine itself can do: a Node-API addon of one function per limit, each answering with one number.
#include <fcntl.h>
#include <node_api.h>
#include <nmmintrin.h>
#include <sys/mman.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double number_argument(napi_env env, napi_callback_info info, std::string* path = nullptr) {
  size_t count = 2;
  napi_value values[2];
  napi_get_cb_info(env, info, &count, values, nullptr, nullptr);
  double number = 0;
  if (count > 0) napi_get_value_double(env, values[0], &number);
  if (path != nullptr && count > 1) {
    char text[4096];
    size_t length = 0;
    napi_get_value_string_utf8(env, values[1], text, sizeof text, &length);
    path->assign(text, length);
  }
  return number;
}

napi_value answer(napi_env env, double number) {
  napi_value value;
  napi_create_double(env, number, &value);
  return value;
}

napi_value fail(napi_env env, const char* what) {
  napi_throw_error(env, nullptr, what);
  return nullptr;
}

// Anonymous memory, each page of it touched.
uint8_t* memory_of(size_t bytes) {
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return nullptr;
  memset(memory, 1, bytes);
  return static_cast<uint8_t*>(memory);
}

napi_value empty(napi_env, napi_callback_info) { return nullptr; }

// Writes 8 kB and syncs, so many times, one after the other through a file of zeroes: writes per second.
napi_value write_and_sync(napi_env env, napi_callback_info info) {
  std::string path;
  const auto times = static_cast<int>(number_argument(env, info, &path));
  const int file = open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC, 0600);
  if (file < 0) return fail(env, "could not make the file");
  std::vector<uint8_t> block(8192, 0);
  bool is_ok = true;
  for (int i = 0; i < times; ++i) is_ok &= write(file, block.data(), block.size()) == 8192;
  is_ok &= fsync(file) == 0;
  memset(block.data(), 1, block.size());
  const auto start = Clock::now();
  for (int i = 0; i < times; ++i) {
    is_ok &= pwrite(file, block.data(), block.size(), static_cast<off_t>(i) * 8192) == 8192;
    is_ok &= fdatasync(file) == 0;
  }
  const double elapsed = seconds_since(start);
  close(file);
  return is_ok ? answer(env, times / elapsed) : fail(env, "could not write or sync");
}

// Past the page cache, 1 MB at a time: bytes per second. `flags` say whether it writes or reads.
napi_value sequential(napi_env env, napi_callback_info info, bool writes) {
  std::string path;
  const auto megabytes = static_cast<int>(number_argument(env, info, &path));
  const int flags = O_DIRECT | (writes ? O_WRONLY | O_CREAT | O_TRUNC : O_RDONLY);
  const int file = open(path.c_str(), flags, 0600);
  if (file < 0) return fail(env, "could not open the file past the page cache");
  constexpr size_t megabyte = 1 << 20;
  void* block = nullptr;
  if (posix_memalign(&block, 4096, megabyte) != 0) return fail(env, "no memory");
  memset(block, 1, megabyte);
  bool is_ok = true;
  const auto start = Clock::now();
  for (int i = 0; i < megabytes; ++i) {
    const ssize_t done = writes ? write(file, block, megabyte) : read(file, block, megabyte);
    is_ok &= done == static_cast<ssize_t>(megabyte);
  }
  if (writes) is_ok &= fdatasync(file) == 0;
  const double elapsed = seconds_since(start);
  free(block);
  close(file);
  return is_ok ? answer(env, static_cast<double>(megabyte) * megabytes / elapsed)
               : fail(env, "could not read or write");
}

napi_value sequential_write(napi_env env, napi_callback_info info) {
  return sequential(env, info, true);
}

napi_value sequential_read(napi_env env, napi_callback_info info) {
  return sequential(env, info, false);
}

// Reads memory in order with one core: bytes per second.
napi_value memory_bandwidth(napi_env env, napi_callback_info info) {
  const auto bytes = static_cast<size_t>(number_argument(env, info));
  uint8_t* const memory = memory_of(bytes);
  if (memory == nullptr) return fail(env, "no memory");
  const auto* words = reinterpret_cast<const uint64_t*>(memory);
  uint64_t sums[4] = {};
  const auto start = Clock::now();
  for (size_t i = 0; i + 4 <= bytes / 8; i += 4) {
    for (size_t lane = 0; lane < 4; ++lane) sums[lane] += words[i + lane];
  }
  volatile uint64_t used = sums[0] + sums[1] + sums[2] + sums[3];
  const double elapsed = seconds_since(start) + (used == 0 ? 1 : 0);
  munmap(memory, bytes);
  return answer(env, static_cast<double>(bytes) / elapsed);
}

// Each load's address is what the load before gave, all over the memory: nanoseconds a load.
napi_value dependent_load(napi_env env, napi_callback_info info) {
  const auto bytes = static_cast<size_t>(number_argument(env, info));
  uint8_t* const memory = memory_of(bytes);
  if (memory == nullptr) return fail(env, "no memory");
  constexpr size_t line = 64;
  const auto lines = static_cast<uint32_t>(bytes / line);
  // One cycle through all lines (Sattolo).
  std::vector<uint32_t> order(lines);
  for (uint32_t i = 0; i < lines; ++i) order[i] = i;
  uint64_t state = 88172645463325252;
  for (uint32_t i = lines - 1; i > 0; --i) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    std::swap(order[i], order[state % i]);
  }
  for (uint32_t i = 0; i < lines; ++i) memcpy(memory + i * line, &order[i], sizeof order[i]);
  constexpr int loads = 2'000'000;
  uint32_t at = 0;
  const auto start = Clock::now();
  for (int i = 0; i < loads; ++i) memcpy(&at, memory + at * line, sizeof at);
  const double elapsed = seconds_since(start);
  volatile uint32_t used = at;
  (void)used;
  munmap(memory, bytes);
  return answer(env, elapsed * 1e9 / loads);
}

// CRC-32C of three streams in turn, so that the processor works on three at once: bytes per second.
napi_value crc32c(napi_env env, napi_callback_info info) {
  const auto times = static_cast<int>(number_argument(env, info));
  constexpr size_t words = 1024;
  std::vector<uint64_t> data(3 * words, 0x0123456789abcdef);
  uint64_t crcs[3] = {};
  const auto start = Clock::now();
  for (int i = 0; i < times; ++i) {
    for (size_t word = 0; word < words; ++word) {
      for (size_t lane = 0; lane < 3; ++lane) {
        crcs[lane] = _mm_crc32_u64(crcs[lane], data[lane * words + word]);
      }
    }
  }
  const double elapsed = seconds_since(start);
  volatile uint64_t used = crcs[0] ^ crcs[1] ^ crcs[2];
  (void)used;
  return answer(env, static_cast<double>(times) * 3 * words * 8 / elapsed);
}

void define(napi_env env, napi_value exports, const char* name, napi_callback function) {
  napi_value value;
  napi_create_function(env, name, NAPI_AUTO_LENGTH, function, nullptr, &value);
  napi_set_named_property(env, exports, name, value);
}

}  // namespace

NAPI_MODULE_INIT() {
  define(env, exports, "empty", empty);
  define(env, exports, "writeAndSync", write_and_sync);
  define(env, exports, "sequentialWrite", sequential_write);
  define(env, exports, "sequentialRead", sequential_read);
  define(env, exports, "memoryBandwidth", memory_bandwidth);
  define(env, exports, "dependentLoad", dependent_load);
  define(env, exports, "crc32c", crc32c);
  return exports;
}
