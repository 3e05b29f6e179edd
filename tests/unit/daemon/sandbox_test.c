/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The router's cage from inside. Each test forks, locks itself in, tries, and tells the result by
 * its exit status; what is refused must fail with EPERM, what is needed must work.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/privileges.h"

/* valgrind's own system calls would meet the filter. */
static bool under_valgrind(void)
{
    const char *preloaded = getenv("LD_PRELOAD");
    return preloaded != NULL && strstr(preloaded, "vgpreload") != NULL;
}

static int in_cage(int (*body)(void))
{
    if (under_valgrind()) {
        skip();
    }
    pid_t pid = fork();
    if (pid == 0) {
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || hd_privileges_filter_router() < 0) {
            _exit(99);
        }
        _exit(body());
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

#define REFUSED(call) ((call) >= 0 || errno != EPERM)

static int files_and_sockets(void)
{
    return (REFUSED(open("/etc/passwd", O_RDONLY)) ? 1 : 0) +
           (REFUSED(socket(AF_INET6, SOCK_DGRAM, 0)) ? 2 : 0) +
           (REFUSED(socket(AF_NETLINK, SOCK_RAW, 0)) ? 4 : 0) +
           (REFUSED(unlink("/nonexistent")) ? 8 : 0) + (REFUSED(kill(getppid(), 0)) ? 16 : 0);
}

static int execution(void)
{
    char *const args[] = {"/bin/true", NULL};
    int failed = REFUSED(execv("/bin/true", args)) ? 1 : 0;
    failed += REFUSED(fork()) ? 2 : 0;
    errno = 0;
    void *p = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    failed += p != MAP_FAILED || errno != EPERM ? 4 : 0;
    p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    failed += p == MAP_FAILED ? 8 : 0;
    failed += REFUSED(mprotect(p, 4096, PROT_READ | PROT_EXEC)) ? 16 : 0;
    return failed;
}

static int programs(void)
{
    union bpf_attr attr;
    memset(&attr, 0, sizeof attr);
    return (REFUSED(bpf_map_create(BPF_MAP_TYPE_ARRAY, "x", 4, 4, 1, NULL)) ? 1 : 0) +
           (REFUSED(bpf_prog_get_fd_by_id(1)) ? 2 : 0) +
           (REFUSED(bpf_obj_get("/sys/fs/bpf/x")) ? 4 : 0);
}

static int needed(void)
{
    int ends[2] = {-1, -1};
    uint32_t key = 0, value = 0;
    struct sched_param p = {0};
    /* A map operation is let through: here it fails for want of a map, not of permission. */
    errno = 0;
    bool map = bpf_map_lookup_elem(-1, &key, &value) < 0 && errno == EBADF;
    return (map ? 0 : 1) + (write(STDERR_FILENO, "", 0) == 0 ? 0 : 2) +
           (sched_setscheduler(0, SCHED_OTHER, &p) == 0 ? 0 : 4) +
           (getsockopt(ends[0], 0, 0, NULL, NULL) < 0 && errno == EBADF ? 0 : 8);
}

static void test_files_and_sockets(void **state)
{
    assert_int_equal(in_cage(files_and_sockets), 0);
}

static void test_execution(void **state)
{
    assert_int_equal(in_cage(execution), 0);
}

static void test_programs(void **state)
{
    assert_int_equal(in_cage(programs), 0);
}

static void test_needed(void **state)
{
    assert_int_equal(in_cage(needed), 0);
}

static void test_drop_all(void **state)
{
    if (geteuid() != 0) {
        skip();
    }
    pid_t pid = fork();
    if (pid == 0) {
        char words[64];
        int error = hd_privileges_drop_all(words, sizeof words);
        bool back = setuid(0) == 0 || open("/etc/shadow", O_RDONLY) >= 0;
        _exit(error < 0 ? 1 : back || geteuid() == 0 ? 2 : 0);
    }
    int status = 0;
    waitpid(pid, &status, 0);
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files_and_sockets), cmocka_unit_test(test_execution),
        cmocka_unit_test(test_programs),          cmocka_unit_test(test_needed),
        cmocka_unit_test(test_drop_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
