#define _GNU_SOURCE
#include "Child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/// In the child: only calls that are safe between fork and exec.
static void become(char *const arguments[], int output, int messages, int parent, uint64_t memory, uint32_t seconds) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(127);
  struct rlimit space = {memory, memory}, time = {seconds, seconds + 1}, core = {0, 0};
  setrlimit(RLIMIT_AS, &space);
  setrlimit(RLIMIT_CPU, &time);
  setrlimit(RLIMIT_CORE, &core);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  int input = open("/dev/null", O_RDONLY);
  if (input < 0 || dup2(input, 0) < 0 || dup2(output, 1) < 0 || dup2(messages, 2) < 0) _exit(127);
  execv(arguments[0], arguments);
  _exit(127);
}

int chost_child_start(chost_child *child, char *const arguments[], uint64_t memory, uint32_t seconds) {
  int output[2], messages[2];
  if (pipe2(output, O_CLOEXEC) != 0) return -errno;
  if (pipe2(messages, O_CLOEXEC) != 0) {
    int error = errno;
    close(output[0]);
    close(output[1]);
    return -error;
  }
  int parent = getpid();
  child->process = fork();
  int error = errno;
  if (child->process == 0) become(arguments, output[1], messages[1], parent, memory, seconds);
  close(output[1]);
  close(messages[1]);
  child->output = output[0];
  child->messages = messages[0];
  if (child->process > 0) return 0;
  close(output[0]);
  close(messages[0]);
  return -error;
}

int chost_child_end(chost_child *child) {
  close(child->output);
  close(child->messages);
  int status = 0;
  while (waitpid(child->process, &status, 0) < 0) {
    if (errno != EINTR) return -1;
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
