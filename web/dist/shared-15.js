import{B as t,T as i,V as n}from"./shared-2.js";function r({at:e,zone:o}){return t("time",{dateTime:e,title:i(e,o),children:n(e)})}export{r as a};
