/* Holds a pod's namespaces. As their first process it inherits what the pod's containers leave behind, and buries it. */
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void leave(int signal_number) {
    (void)signal_number;
    _exit(0);
}

static void bury(int signal_number) {
    (void)signal_number;
    while (waitpid(-1, NULL, WNOHANG) > 0) {
    }
}

static void on(int signal_number, void (*handler)(int)) {
    struct sigaction action = {0};
    action.sa_handler = handler;
    action.sa_flags = SA_NOCLDSTOP | SA_RESTART;
    if (sigaction(signal_number, &action, NULL) != 0) {
        exit(1);
    }
}

int main(void) {
    on(SIGINT, leave);
    on(SIGTERM, leave);
    on(SIGCHLD, bury);
    for (;;) {
        pause();
    }
}
