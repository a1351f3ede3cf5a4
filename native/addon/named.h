// Named: values that JavaScript gives by name.
#pragma once

#include <cstddef>
#include <string>

namespace pgdata {

template <typename T>
struct Named {
  const char* name;
  T value;
};

template <typename T, size_t count>
bool find_named(const Named<T> (&entries)[count], const std::string& name, T* value) {
  for (const Named<T>& entry : entries) {
    if (name != entry.name) continue;
    *value = entry.value;
    return true;
  }
  return false;
}

}  // namespace pgdata
