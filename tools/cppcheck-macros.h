/* SPDX-License-Identifier: Apache-2.0 */
/* Macros of libraries that cppcheck cannot see; given to it by tools/run-cppcheck.sh, never
 * compiled. */
#define LIBBPF_OPTS(type, name, ...)         struct type name = {0}
#define DECLARE_LIBBPF_OPTS(type, name, ...) struct type name = {0}
#define json_array_foreach(a, i, v)          for ((i) = 0; ((v) = json_array_get((a), (i))); (i)++)
#define json_object_foreach(o, k, v)                                                               \
    for (void *it = json_object_iter(o); (v) = json_next(o, &it, &(k));)
