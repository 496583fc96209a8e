#!/bin/bash
set -e
source ~/overcloudrc
sed -e s/admin/user1/ ~/overcloudrc > user1.rc
