// Json text: values within a json document, which is kept as it was written.
//
// Documents were checked when they were stored; what is not JSON all the same raises data_corrupted.
// Source: src/backend/utils/adt/{jsonfuncs.c,jsonapi.c}, PostgreSQL 18.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"

namespace pgdata {

// The value of that key, of several the last one, without the space around it. Not found in what is no object.
Status json_member(std::string_view json, std::string_view key, bool* found,
                   std::string_view* value);
// A negative place counts from the end. Not found in what is no array.
Status json_element(std::string_view json, int32_t place, bool* found, std::string_view* value);
// Is it null?
bool json_is_null(std::string_view json);
// What `->>` gives: strings without their quotes and escapes, all else as it is. untranslatable_character.
Status json_to_text(std::string_view json, std::string* text);

}  // namespace pgdata
