/* A process that does nothing: it stands in a machine for a service that runs outside, with the service's command line. */
#include <unistd.h>

int main(void)
{
    for (;;)
        pause();
}
